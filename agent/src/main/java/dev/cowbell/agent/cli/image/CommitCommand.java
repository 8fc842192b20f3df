package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.layers.LayerCommit;
import dev.cowbell.qcow2.layers.LayerCommit.Afterwards;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image commit}: as {@code qemu-img commit}. */
@Command(
    name = "commit",
    description = {
      "Writes what an image holds into its backing file, and empties the image.",
      "Nobody may have either of them open."
    })
final class CommitCommand extends CowbellCommand {

  @Mixin private OpenRules rules;

  @Option(
      names = "-b",
      paramLabel = "BASE",
      description = {
        "Commit into this file of the backing chain instead, together with all files between, which",
        "are of no more use by themselves then. The image stays as it is."
      })
  private @Nullable String base;

  @Option(names = "-d", description = "Leave the image as it is.")
  private boolean keep;

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format: qcow2.")
  private String format = "qcow2";

  @Option(
      names = "-t",
      paramLabel = "CACHE",
      description = "How files are used: writeback (default); past the host's cache: none.")
  private String cache = "writeback";

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
    try (LayerProgress listener =
        new LayerProgress(progress(showProgress), "committing", cancellation())) {
      rules.whileWriting(
          CacheMode.of("-t", cache).io(),
          options -> {
            LayerCommit commit = new LayerCommit(options, listener);
            if (base != null) {
              commit.intoLayer(file, base);
            } else {
              commit.intoBackingFile(file, keep ? Afterwards.KEEP : Afterwards.EMPTY);
            }
          });
    }
    if (!isQuiet()) {
      console().out().println("Image committed.");
    }
    return ExitCode.DONE;
  }
}
