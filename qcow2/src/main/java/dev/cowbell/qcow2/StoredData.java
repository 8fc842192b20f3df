package dev.cowbell.qcow2;

import dev.cowbell.qcow2.crypto.EncryptedClusters;
import dev.cowbell.qcow2.crypto.ImageCipher;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.write.ClusterStore;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/** The uncompressed guest data of an image, read and written as the guest sees it. */
sealed interface StoredData extends ClusterStore, Closeable {

  /**
   * Fills a buffer.
   *
   * @param guestOffset where the bytes are on the guest's disk
   * @param hostOffset where they are in the file that holds them
   */
  void read(long guestOffset, long hostOffset, ByteBuffer dst) throws IOException;

  /** The file that holds it. */
  HostFile file();

  /** The name of the file in which bytes stand as the guest wrote them; empty when encrypted. */
  Optional<String> plainFile();

  /** Bytes stand in the file as the guest wrote them. */
  record Plain(HostFile file) implements StoredData {
    @Override
    public void read(long guestOffset, long hostOffset, ByteBuffer dst) throws IOException {
      file.readPadded(hostOffset, dst);
    }

    @Override
    public void write(long guestOffset, long hostOffset, ByteBuffer src) throws IOException {
      file.write(hostOffset, src);
    }

    @Override
    public int granularity() {
      return 1;
    }

    @Override
    public long untouchedFrom() throws IOException {
      return file.size();
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

  /**
   * The file is a raw image of the disk by itself, and has to stay one: it ends where the disk
   * ends, although clusters may go on.
   */
  final class Raw implements StoredData {
    private final HostFile file;
    private volatile long diskSize;

    Raw(HostFile file, long diskSize) {
      this.file = file;
      this.diskSize = diskSize;
    }

    @Override
    public HostFile file() {
      return file;
    }

    @Override
    public void read(long guestOffset, long hostOffset, ByteBuffer dst) throws IOException {
      file.readPadded(hostOffset, dst);
    }

    @Override
    public void write(long guestOffset, long hostOffset, ByteBuffer src) throws IOException {
      int limit = src.limit();
      int inside = Math.clamp(diskSize - hostOffset, 0, src.remaining());
      file.write(hostOffset, src.limit(src.position() + inside));
      src.limit(limit).position(limit);
    }

    @Override
    public void zeroed(long guestOffset, long length) throws IOException {
      file.punchHole(guestOffset, length);
    }

    @Override
    public void resized(long newSize) throws IOException {
      file.resize(newSize);
      diskSize = newSize;
    }

    @Override
    public int granularity() {
      return 1;
    }

    @Override
    public long untouchedFrom() {
      return Long.MAX_VALUE;
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
    public void write(long guestOffset, long hostOffset, ByteBuffer src) throws IOException {
      clusters.write(guestOffset, hostOffset, src);
    }

    @Override
    public int granularity() {
      return ImageCipher.SECTOR;
    }

    @Override
    public long untouchedFrom() {
      return Long.MAX_VALUE;
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
    public void write(long guestOffset, long hostOffset, ByteBuffer src)
        throws EncryptedImageException {
      throw new EncryptedImageException(
          "the image is encrypted and was opened for its metadata only");
    }

    @Override
    public int granularity() {
      return ImageCipher.SECTOR;
    }

    @Override
    public long untouchedFrom() {
      return Long.MAX_VALUE;
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
