package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.BackingFormat;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.ReferenceOpener;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Mix-in: how images and what they refer to are opened for reading. */
final class OpenRules {
  private static final int SECTOR = 512;

  @Option(names = "--no-follow", description = "Open no backing or data file that the image names.")
  private boolean noFollow;

  @Option(
      names = "--probe-backing",
      description = "Guess a backing file's format where the header does not say it.")
  private boolean probeBacking;

  @Option(
      names = {"-U", "--force-share"},
      description = "Open an image that another process may be writing to.")
  private boolean forceShare;

  /** How to open a qcow2 image. */
  OpenOptions options() {
    OpenOptions options = OpenOptions.strict().withLock(use());
    if (!noFollow) {
      options = options.withReferences(ReferenceOpener.followFiles(use()));
    }
    return probeBacking ? options.withBackingFormat(new BackingFormat.Probed()) : options;
  }

  /** The same without looking at data or at any other file. */
  OpenOptions metadataOnly() {
    return options().withScope(OpenOptions.Scope.METADATA);
  }

  private ImageLock.Use use() {
    return forceShare ? ImageLock.Use.READ_UNSAFE : ImageLock.Use.READ;
  }

  /**
   * Opens an image.
   *
   * @param format {@code raw}, {@code qcow2}, or null to look at the file as qemu-img does
   */
  MappedDisk open(Path file, @Nullable String format) throws IOException, CommandFailedException {
    return open(file, format, options());
  }

  /** Opens an image in one's own way. */
  MappedDisk open(Path file, @Nullable String format, OpenOptions options)
      throws IOException, CommandFailedException {
    HostFile host = ChannelHostFile.open(file, use());
    boolean taken = false;
    try {
      String known = format == null ? probe(host) : format;
      MappedDisk disk =
          switch (known) {
            case "qcow2" -> Qcow2Image.adopt(host, options);
            case "raw" -> RawDisk.adopt(host);
            default -> throw unknownFormat(known);
          };
      taken = true;
      return disk;
    } finally {
      if (!taken) {
        host.close();
      }
    }
  }

  static CommandFailedException unknownFormat(String format) {
    return CommandFailedException.because(
        ExitCode.FAILED, "unknown format '" + format + "'; there are qcow2 and raw");
  }

  private static String probe(HostFile file) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(SECTOR);
    file.readPadded(0, start);
    return Header.isQcow2(start) ? "qcow2" : "raw";
  }
}
