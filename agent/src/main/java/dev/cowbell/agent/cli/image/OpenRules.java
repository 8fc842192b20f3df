package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.Console;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.PassphraseFile;
import dev.cowbell.qcow2.BackingFormat;
import dev.cowbell.qcow2.EncryptedImageException;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.ReferenceOpener;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.HostIo;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

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

  @Option(
      names = "--passphrase-file",
      paramLabel = "FILE",
      description = "Opens an encrypted image; each byte of the file counts, a newline too.")
  private @Nullable Path passphraseFile;

  @Option(
      names = "--backing-passphrase-file",
      paramLabel = "FILE",
      description = "Opens the encrypted backing files of an image.")
  private @Nullable Path backingPassphraseFile;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /** How to open a qcow2 image. */
  OpenOptions options() {
    return options(HostIo.CHANNEL);
  }

  /** How to open a qcow2 image whose files are all read and written in one way. */
  OpenOptions options(HostIo io) {
    OpenOptions options = OpenOptions.strict().withLock(use()).withIo(io);
    if (!noFollow) {
      options = options.withReferences(ReferenceOpener.followFiles(use(), io));
    }
    return probeBacking ? options.withBackingFormat(new BackingFormat.Probed()) : options;
  }

  /** How to open a qcow2 image that is to be written to. */
  OpenOptions writing() throws CommandFailedException {
    return writing(HostIo.CHANNEL);
  }

  private OpenOptions writing(HostIo io) throws CommandFailedException {
    if (forceShare) {
      throw CommandFailedException.usage("-U: an image is shared with others for reading only");
    }
    return options(io).withAccess(OpenOptions.Access.READ_WRITE);
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
    return open(file, format, options, passphraseFile);
  }

  /** Opens another image than the one that {@code --passphrase-file} is for, in one's own way. */
  MappedDisk openOther(Path file, @Nullable String format, OpenOptions options)
      throws IOException, CommandFailedException {
    return open(file, format, options, null);
  }

  /** What {@code --passphrase-file} says. */
  @Nullable Path passphraseFile() {
    return passphraseFile;
  }

  /** Opens another image than the one that {@code --passphrase-file} is for. */
  MappedDisk openOther(Path file, @Nullable String format, @Nullable Path itsPassphraseFile)
      throws IOException, CommandFailedException {
    return openOther(file, format, options(), itsPassphraseFile);
  }

  /** The same in one's own way. */
  MappedDisk openOther(
      Path file, @Nullable String format, OpenOptions options, @Nullable Path itsPassphraseFile)
      throws IOException, CommandFailedException {
    return open(file, format, options, itsPassphraseFile);
  }

  private MappedDisk open(
      Path file, @Nullable String format, OpenOptions options, @Nullable Path itsPassphraseFile)
      throws IOException, CommandFailedException {
    Console console = CowbellCommand.consoleOf(command);
    try (PassphraseFile.Pair pair =
        PassphraseFile.Pair.read(itsPassphraseFile, backingPassphraseFile, console)) {
      return openDisk(file, format, options.withPassphrases(pair.passphrases()));
    } catch (EncryptedImageException e) {
      throw CommandFailedException.because(ExitCode.FAILED, String.valueOf(e.getMessage()))
          .hint("--passphrase-file opens an image, --backing-passphrase-file the files below it");
    }
  }

  /** Something that is done with images that open in a certain way. */
  @FunctionalInterface
  interface Work {
    void run(OpenOptions options) throws IOException, CommandFailedException;
  }

  /** Has something done to images that it opens itself, writing, with the passphrases given. */
  void whileWriting(Work work) throws IOException, CommandFailedException {
    whileWriting(HostIo.CHANNEL, work);
  }

  /** The same in images whose files are all read and written in one way. */
  void whileWriting(HostIo io, Work work) throws IOException, CommandFailedException {
    Console console = CowbellCommand.consoleOf(command);
    try (PassphraseFile.Pair pair =
        PassphraseFile.Pair.read(passphraseFile, backingPassphraseFile, console)) {
      work.run(writing(io).withPassphrases(pair.passphrases()));
    } catch (EncryptedImageException e) {
      throw CommandFailedException.because(ExitCode.FAILED, String.valueOf(e.getMessage()))
          .hint("--passphrase-file opens an image, --backing-passphrase-file the files below it");
    }
  }

  private static MappedDisk openDisk(Path file, @Nullable String format, OpenOptions options)
      throws IOException, CommandFailedException {
    HostFile host = options.io().open(file, options.lock());
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
