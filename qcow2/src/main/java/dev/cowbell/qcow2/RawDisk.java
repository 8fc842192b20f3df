package dev.cowbell.qcow2;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A raw image: the file's bytes are the disk's. As with QEMU a size that is no multiple of 512 is
 * rounded up, and the file's holes are zeroes.
 */
public final class RawDisk implements MappedDisk {
  private static final int SECTOR = 512;

  private final HostFile file;
  private final long fileSize;
  private final Optional<String> name;

  private RawDisk(HostFile file, long fileSize) {
    this.file = file;
    this.fileSize = fileSize;
    this.name = Optional.of(file.name());
  }

  /** Takes over a file: closing the disk closes it. */
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
    for (long position = at; position < end; ) {
      long data = position < fileSize ? Math.min(file.nextData(position), end) : end;
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
  public void close() throws IOException {
    file.close();
  }
}
