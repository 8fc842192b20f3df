package dev.cowbell.qcow2;

import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A raw image: the file's bytes are the disk's. As with QEMU a size that is no multiple of 512 is
 * rounded up, and the file's holes are zeroes.
 */
public final class RawDisk implements WritableDisk {
  private static final int SECTOR = 512;
  private static final int ZEROES = 1 << 20;

  private final HostFile file;
  private final Optional<String> name;

  /** The file's size, which a write into a last, partial sector lets grow. */
  private volatile long fileSize;

  private RawDisk(HostFile file, long fileSize) {
    this.file = file;
    this.fileSize = fileSize;
    this.name = Optional.of(file.name());
  }

  /**
   * Opens a file or block device.
   *
   * @throws ImageLockedException if another program uses it in a way that rules this out
   */
  public static RawDisk open(Path path, ImageLock.Use use) throws IOException {
    HostFile file = ChannelHostFile.open(path, use);
    try {
      return adopt(file);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** Takes over a file: closing the disk closes it. It can be written to if the file can. */
  public static RawDisk adopt(HostFile file) throws IOException {
    return new RawDisk(file, file.size());
  }

  /** The file that holds the disk. */
  public HostFile file() {
    return file;
  }

  @Override
  public long size() {
    return (fileSize + SECTOR - 1) & -SECTOR;
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    Objects.checkFromIndexSize(at, (long) dst.remaining(), size());
    file.readPadded(at, dst);
  }

  @Override
  public void mapLayers(long at, long length, int depth, MapSink sink) throws IOException {
    Objects.checkFromIndexSize(at, length, size());
    long end = at + length;
    long stored = fileSize;
    for (long position = at; position < end; ) {
      long data = position < stored ? Math.min(file.nextData(position), end) : end;
      if (data > position) {
        sink.accept(entry(MapEntry.Kind.ZERO, position, data, depth));
      }
      // A file being written may have lost its hole since; there is always some progress.
      long hole = data < end ? Math.clamp(file.nextHole(data), data + 1, end) : end;
      if (hole > data) {
        sink.accept(entry(MapEntry.Kind.DATA, data, hole, depth));
      }
      position = hole;
    }
  }

  private MapEntry entry(MapEntry.Kind kind, long from, long to, int depth) {
    return new MapEntry(from, to - from, kind, depth, OptionalLong.of(from), name);
  }

  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    long length = src.remaining();
    Objects.checkFromIndexSize(at, length, size());
    file.write(at, src);
    grewTo(at + length);
  }

  private void grewTo(long end) {
    if (end > fileSize) {
      synchronized (this) {
        fileSize = Math.max(fileSize, end);
      }
    }
  }

  @Override
  public void writeZeroes(long at, long length, ZeroSpace space) throws IOException {
    Objects.checkFromIndexSize(at, length, size());
    if (space == ZeroSpace.MAY_FREE) {
      discard(at, length);
      return;
    }
    long end = Math.min(at + length, fileSize);
    ByteBuffer zeroes = ByteBuffer.allocateDirect(Math.clamp(end - at, 0, ZEROES));
    for (long position = at; position < end; position += zeroes.limit()) {
      file.write(position, zeroes.clear().limit((int) Math.min(zeroes.capacity(), end - position)));
    }
  }

  /** All of the range reads as zeroes afterwards. */
  @Override
  public void discard(long at, long length) throws IOException {
    Objects.checkFromIndexSize(at, length, size());
    long end = Math.min(at + length, fileSize);
    if (end > at) {
      file.punchHole(at, end - at);
    }
  }

  /**
   * Makes the disk longer, with zeroes, or cuts it off. No other call may run meanwhile.
   *
   * @param newSize in bytes, 0 or more
   * @throws IOException if it can't be done, as with a block device
   */
  public void resize(long newSize) throws IOException {
    file.resize(newSize);
    if (file.size() != newSize) {
      throw new IOException(
          "%s: a block device of %d bytes can't be given %d"
              .formatted(file.name(), file.size(), newSize));
    }
    fileSize = newSize;
  }

  @Override
  public void flush() throws IOException {
    file.flush();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
