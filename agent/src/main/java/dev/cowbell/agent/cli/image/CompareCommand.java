package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.compare.DiskComparison;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image compare}: as {@code qemu-img compare}, its exit codes included. */
@Command(
    name = "compare",
    description = {
      "Says whether two images hold the same content.",
      "Exit codes: 0 identical, 1 different, 2 it could not be found out."
    })
final class CompareCommand extends CowbellCommand {
  private static final long STRICT_WINDOW = 64 << 20;

  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "The first image's format.")
  private @Nullable String firstFormat;

  @Option(names = "-F", paramLabel = "FMT", description = "The second image's format.")
  private @Nullable String secondFormat;

  @Option(
      names = "--second-passphrase-file",
      paramLabel = "FILE",
      description = "Opens the second image, if it is encrypted.")
  private @Nullable Path secondPassphraseFile;

  @Option(names = "-s", description = "Sizes and allocation have to be the same, too.")
  private boolean strict;

  @Option(
      names = "-T",
      paramLabel = "CACHE",
      description = "How both are read: writeback (default); past the host's cache: none.")
  private String cache = "writeback";

  @Option(names = "-p", description = "Show progress.")
  private boolean showProgress;

  @Parameters(index = "0", paramLabel = "A", description = "An image.")
  private Path first;

  @Parameters(index = "1", paramLabel = "B", description = "Another image.")
  private Path second;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    OpenOptions how = rules.options(CacheMode.of("-T", cache).io());
    try (MappedDisk a = rules.open(first, firstFormat, how);
        MappedDisk b = rules.openOther(second, secondFormat, how, secondPassphraseFile)) {
      if (a.size() != b.size()) {
        if (strict) {
          return different("Strict mode: Image size mismatch!");
        }
        if (!isQuiet()) {
          console().out().println("Warning: Image size mismatch!");
        }
      }
      if (strict) {
        OptionalLong status = firstOtherStatus(a, b);
        if (status.isPresent()) {
          return different(
              "Strict mode: Offset %d block status mismatch!".formatted(status.getAsLong()));
        }
      }
      OptionalLong difference = compare(a, b);
      if (difference.isPresent()) {
        return different("Content mismatch at offset %d!".formatted(difference.getAsLong()));
      }
    }
    if (!isQuiet()) {
      console().out().println("Images are identical.");
    }
    return ExitCode.DONE;
  }

  /** Nothing but 1 may mean that the images differ. */
  @Override
  protected ExitCode exitCodeOf(ExitCode usual) {
    return usual == ExitCode.INTERRUPTED ? usual : ExitCode.COMPARE_FAILED;
  }

  private OptionalLong compare(MappedDisk a, MappedDisk b) throws IOException {
    try (Progress.Phase phase =
        progress(showProgress).begin("comparing", Math.max(a.size(), b.size()))) {
      return DiskComparison.firstDifference(
          a,
          b,
          Runtime.getRuntime().availableProcessors(),
          bytes -> {
            phase.advance(bytes);
            cancellation().check();
          });
    }
  }

  private OptionalLong firstOtherStatus(MappedDisk a, MappedDisk b) throws IOException {
    for (long at = 0; at < a.size(); at += STRICT_WINDOW) {
      cancellation().check();
      long length = Math.min(STRICT_WINDOW, a.size() - at);
      var ours = a.extents(at, length).iterator();
      var theirs = b.extents(at, length).iterator();
      long position = at;
      while (ours.hasNext() && theirs.hasNext()) {
        Extent mine = ours.next();
        Extent other = theirs.next();
        if (mine.status() != other.status()) {
          return OptionalLong.of(position);
        }
        position = Math.min(mine.end(), other.end());
        if (mine.end() != other.end()) {
          return OptionalLong.of(position);
        }
      }
    }
    return OptionalLong.empty();
  }

  private ExitCode different(String how) {
    if (!isQuiet()) {
      console().out().println(how);
    }
    return ExitCode.IMAGES_DIFFER;
  }
}
