package dev.cowbell.agent.cli;

import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.crypto.Passphrases;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file that holds a passphrase, each byte of which counts, as in QEMU's {@code --object
 * secret,file=}: a newline at its end is a part of the passphrase.
 */
public final class PassphraseFile {

  private static final Set<PosixFilePermission> OF_OTHERS =
      EnumSet.of(
          PosixFilePermission.GROUP_READ,
          PosixFilePermission.GROUP_WRITE,
          PosixFilePermission.OTHERS_READ,
          PosixFilePermission.OTHERS_WRITE);

  private PassphraseFile() {}

  /**
   * Reads a passphrase, and warns if others can do so too.
   *
   * @throws IOException if the file can't be read or holds no passphrase
   */
  public static Passphrase read(Path file, Console console) throws IOException {
    if (isOpenToOthers(file)) {
      console.warn(file + " can be read or written by others; chmod 600 keeps a passphrase secret");
    }
    return Passphrase.readFile(file);
  }

  /** The same where the option may have been left out. */
  public static Optional<Passphrase> readIfGiven(@Nullable Path file, Console console)
      throws IOException {
    return file == null ? Optional.empty() : Optional.of(read(file, console));
  }

  /** A pipe or terminal has the rights of whoever made it, which say nothing. */
  private static boolean isOpenToOthers(Path file) throws IOException {
    if (!Files.isRegularFile(file)
        || !Files.getFileStore(file).supportsFileAttributeView("posix")) {
      return false;
    }
    PosixFileAttributes attributes = Files.readAttributes(file, PosixFileAttributes.class);
    return attributes.permissions().stream().anyMatch(OF_OTHERS::contains);
  }

  /** The passphrases of an image and its backing files, until closed. */
  public static final class Pair implements AutoCloseable {
    private final Passphrases passphrases;

    private Pair(Passphrases passphrases) {
      this.passphrases = passphrases;
    }

    /**
     * Reads what was given.
     *
     * @param image for the image itself
     * @param backing for its backing files
     */
    public static Pair read(@Nullable Path image, @Nullable Path backing, Console console)
        throws IOException {
      Optional<Passphrase> first = readIfGiven(image, console);
      try {
        return new Pair(new Passphrases(first, readIfGiven(backing, console)));
      } catch (IOException | RuntimeException e) {
        first.ifPresent(Passphrase::close);
        throw e;
      }
    }

    public Passphrases passphrases() {
      return passphrases;
    }

    @Override
    public void close() {
      passphrases.image().ifPresent(Passphrase::close);
      passphrases.backing().ifPresent(Passphrase::close);
    }
  }
}
