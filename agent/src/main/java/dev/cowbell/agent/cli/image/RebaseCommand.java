package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.layers.LayerRebase;
import dev.cowbell.qcow2.layers.NewBacking;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image rebase}: as {@code qemu-img rebase}. */
@Command(
    name = "rebase",
    description = {
      "Gives an image that nobody has open another backing file.",
      "Its content stays: what the old and the new one show differently is copied into the image."
    })
final class RebaseCommand extends CowbellCommand {

  @Mixin private OpenRules rules;

  @Option(
      names = "-b",
      paramLabel = "BACKING",
      description = "The new backing file, from the image's folder on; \"\" for none.")
  private @Nullable String backing;

  @Option(names = "-F", paramLabel = "FMT", description = "The new backing file's format.")
  private @Nullable String backingFormat;

  @Option(
      names = "-u",
      description = "Change the name only, for a file that was moved or renamed; copy nothing.")
  private boolean unsafe;

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format: qcow2.")
  private String format = "qcow2";

  @Option(
      names = "-t",
      paramLabel = "CACHE",
      description = "How files are used: writeback (default); past the host's cache: none.")
  private String cache = "writeback";

  @Option(
      names = "-T",
      paramLabel = "CACHE",
      description = "Accepted as in qemu-img; backing files are read as -t says.")
  private String sourceCache = "writeback";

  @Option(names = "-p", description = "Show progress.")
  private boolean showProgress;

  @Parameters(paramLabel = "FILE", description = "The image.")
  private Path file;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (!format.equals("qcow2")) {
      throw CommandFailedException.because(
          ExitCode.FAILED, "%s: the format %s has no backing file".formatted(file, format));
    }
    if (backing == null && !unsafe) {
      throw CommandFailedException.usage("-b says which backing file, and is missing")
          .hint("-b \"\" makes the image one without a backing file");
    }
    Optional<NewBacking> wanted = wanted();
    try (LayerProgress listener =
        new LayerProgress(progress(showProgress), "rebasing", cancellation())) {
      CacheMode.of("-T", sourceCache);
      rules.whileWriting(
          CacheMode.of("-t", cache).io(),
          options -> {
            LayerRebase rebase = new LayerRebase(options, listener);
            if (unsafe) {
              rebase.unsafely(file, wanted);
            } else {
              rebase.safely(file, wanted);
            }
          });
    }
    return ExitCode.DONE;
  }

  private Optional<NewBacking> wanted() throws CommandFailedException {
    if (backing == null || backing.isEmpty()) {
      return Optional.empty();
    }
    if (backingFormat == null) {
      throw CommandFailedException.usage("-b %s: its format has to be said".formatted(backing))
          .hint("-F qcow2 or -F raw");
    }
    if (!backingFormat.equals("qcow2") && !backingFormat.equals("raw")) {
      throw OpenRules.unknownFormat(backingFormat);
    }
    return Optional.of(new NewBacking(backing, backingFormat));
  }
}
