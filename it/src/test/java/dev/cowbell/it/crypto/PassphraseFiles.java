package dev.cowbell.it.crypto;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** Files that hold a passphrase and that nobody else can read. */
final class PassphraseFiles {
  private PassphraseFiles() {}

  static Path write(Path file, String passphrase) throws IOException {
    Files.createFile(
        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    return Files.writeString(file, passphrase);
  }
}
