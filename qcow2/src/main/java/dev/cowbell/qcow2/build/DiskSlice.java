package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.io.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * A part of a disk as a disk of its own. Closing it does nothing.
 *
 * @param disk where the bytes come from
 * @param start its first byte that belongs here
 * @param length how many belong here
 * @param size the size of this disk: {@code length}, or more, and then it ends in zeroes
 */
public record DiskSlice(GuestDisk disk, long start, long length, long size) implements GuestDisk {

  public DiskSlice {
    Objects.checkFromIndexSize(start, length, disk.size());
    Objects.checkFromIndexSize(0, length, size);
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    Objects.checkFromIndexSize(at, (long) dst.remaining(), size);
    int limit = dst.limit();
    dst.limit(dst.position() + (int) Math.clamp(length - at, 0L, dst.remaining()));
    if (dst.hasRemaining()) {
      disk.read(start + at, dst);
    }
    Zeroes.fill(dst.limit(limit));
  }

  @Override
  public List<Extent> extents(long at, long count) throws IOException {
    Objects.checkFromIndexSize(at, count, size);
    List<Extent> extents = new ArrayList<>();
    long inside = Math.clamp(length - at, 0L, count);
    if (inside > 0) {
      for (Extent extent : disk.extents(start + at, inside)) {
        extents.add(new Extent(extent.offset() - start, extent.length(), extent.status()));
      }
    }
    if (inside < count) {
      long from = at + inside;
      if (!extents.isEmpty() && extents.getLast().status() == Extent.Status.ZERO) {
        from = extents.removeLast().offset();
      }
      extents.add(new Extent(from, at + count - from, Extent.Status.ZERO));
    }
    return extents;
  }

  @Override
  public void close() {}
}
