package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.build.Preallocation;
import dev.cowbell.qcow2.layers.DiskResize;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code image resize}: as {@code qemu-img resize}. */
@Command(
    name = "resize",
    description = "Gives the disk of an image that nobody has open another size.")
final class ResizeCommand extends CowbellCommand {

  @Mixin private OpenRules rules;

  @Option(names = "--shrink", description = "Allow a smaller size: what is behind it is lost.")
  private boolean shrink;

  @Option(
      names = "--preallocation",
      paramLabel = "MODE",
      description = "Space to take for what is new: off, metadata, falloc or full.")
  private String preallocation = "off";

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format.")
  private @Nullable String format;

  @Parameters(index = "0", paramLabel = "FILE", description = "The image.")
  private Path file;

  @Parameters(
      index = "1",
      paramLabel = "[+|-]SIZE",
      description = "The new size in bytes, or with K, M, G, T; or how much more or less.")
  private String size;

  /** A size such as -1G is no option. */
  @Spec
  void takeSizesThatLookLikeOptions(CommandSpec spec) {
    spec.parser().unmatchedOptionsArePositionalParams(true);
  }

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    Preallocation mode = CreateOptions.preallocation(preallocation);
    rules.whileWriting(options -> resize(options, mode));
    if (!isQuiet()) {
      console().out().println("Image resized.");
    }
    return ExitCode.DONE;
  }

  private void resize(OpenOptions options, Preallocation mode)
      throws IOException, CommandFailedException {
    try (MappedDisk disk = rules.open(file, format, options)) {
      long wanted = wanted(disk.size());
      Shrinking shrinking = shrink ? Shrinking.ALLOWED : Shrinking.REFUSED;
      if (wanted < disk.size() && !shrink) {
        throw CommandFailedException.because(
                ExitCode.FAILED,
                "%s: the disk would shrink from %d to %d bytes, and all behind be lost"
                    .formatted(file, disk.size(), wanted))
            .hint("--shrink allows it");
      }
      if (disk instanceof RawDisk && mode == Preallocation.METADATA) {
        throw CommandFailedException.because(
            ExitCode.FAILED, file + ": a raw image has no metadata to preallocate");
      }
      DiskResize resize = new DiskResize(wanted, shrinking, mode);
      switch (disk) {
        case Qcow2Image image -> resize.of(image);
        case RawDisk raw -> resize.of(raw);
        default -> throw new IllegalStateException("no image: " + disk);
      }
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.because(ExitCode.FAILED, file + ": " + e.getMessage());
    }
  }

  private long wanted(long present) throws CommandFailedException {
    boolean more = size.startsWith("+");
    boolean less = size.startsWith("-");
    long bytes;
    try {
      bytes = ByteSize.parse(more || less ? size.substring(1) : size).bytes();
      long wanted = Math.addExact(more || less ? present : 0, less ? -bytes : bytes);
      if (wanted > 0) {
        return wanted;
      }
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(size + ": " + e.getMessage());
    } catch (ArithmeticException e) {
      throw CommandFailedException.usage(size + ": the disk would be too large");
    }
    throw CommandFailedException.because(
        ExitCode.FAILED, file + ": the new size must be more than 0");
  }
}
