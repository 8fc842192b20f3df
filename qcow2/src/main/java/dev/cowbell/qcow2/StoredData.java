package dev.cowbell.qcow2;

import dev.cowbell.qcow2.crypto.EncryptedClusters;
import dev.cowbell.qcow2.io.HostFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/** The uncompressed guest data of an image, read as the guest wrote it. */
sealed interface StoredData extends Closeable {

  /**
   * Fills a buffer.
   *
   * @param guestOffset where the bytes are on the guest's disk
   * @param hostOffset where they are in the file that holds them
   */
  void read(long guestOffset, long hostOffset, ByteBuffer dst) throws IOException;

  /** The name of the file in which bytes stand as the guest wrote them; empty when encrypted. */
  Optional<String> plainFile();

  /** Bytes stand in the file as the guest wrote them. */
  record Plain(HostFile file) implements StoredData {
    @Override
    public void read(long guestOffset, long hostOffset, ByteBuffer dst) throws IOException {
      file.readPadded(hostOffset, dst);
    }

    @Override
    public Optional<String> plainFile() {
      return Optional.of(file.name());
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** Bytes are encrypted, and the key is known. */
  record Encrypted(HostFile file, EncryptedClusters clusters) implements StoredData {
    @Override
    public void read(long guestOffset, long hostOffset, ByteBuffer dst) throws IOException {
      clusters.read(guestOffset, hostOffset, dst);
    }

    @Override
    public Optional<String> plainFile() {
      return Optional.empty();
    }

    @Override
    public void close() throws IOException {
      clusters.close();
      file.close();
    }
  }

  /** Bytes are encrypted, and the image was opened for its metadata only. */
  record Locked(HostFile file) implements StoredData {
    @Override
    public void read(long guestOffset, long hostOffset, ByteBuffer dst)
        throws EncryptedImageException {
      throw new EncryptedImageException(
          "the image is encrypted and was opened for its metadata only");
    }

    @Override
    public Optional<String> plainFile() {
      return Optional.empty();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
