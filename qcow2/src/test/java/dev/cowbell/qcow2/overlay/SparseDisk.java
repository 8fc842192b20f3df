package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.Extent.Status;
import dev.cowbell.qcow2.GuestDisk;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** A disk in memory whose pages of 4 KiB exist or read as zeroes. */
final class SparseDisk implements GuestDisk {
  static final int PAGE = 4096;

  private final long size;
  private final TreeMap<Long, byte[]> pages = new TreeMap<>();

  SparseDisk(long size) {
    this.size = size;
  }

  /** A disk of another size with the same content, as far as it fits. */
  SparseDisk resized(long newSize) {
    SparseDisk copy = new SparseDisk(newSize);
    for (Map.Entry<Long, byte[]> page : pages.entrySet()) {
      long at = page.getKey() * PAGE;
      if (at < newSize) {
        copy.write(at, Arrays.copyOf(page.getValue(), (int) Math.min(PAGE, newSize - at)));
      }
    }
    return copy;
  }

  SparseDisk write(long at, byte[] content) {
    Objects.checkFromIndexSize(at, (long) content.length, size);
    for (int done = 0; done < content.length; ) {
      int inPage = (int) ((at + done) % PAGE);
      int step = Math.min(PAGE - inPage, content.length - done);
      byte[] page = pages.computeIfAbsent((at + done) / PAGE, _ -> new byte[PAGE]);
      System.arraycopy(content, done, page, inPage, step);
      done += step;
    }
    return this;
  }

  /** Makes whole pages read as zeroes. */
  SparseDisk discard(long at, long length) {
    pages.subMap(at / PAGE, (at + length) / PAGE).clear();
    return this;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(long at, ByteBuffer dst) {
    Objects.checkFromIndexSize(at, (long) dst.remaining(), size);
    long position = at;
    while (dst.hasRemaining()) {
      int inPage = (int) (position % PAGE);
      int step = Math.min(PAGE - inPage, dst.remaining());
      byte[] page = pages.get(position / PAGE);
      dst.put(page == null ? new byte[PAGE] : page, inPage, step);
      position += step;
    }
  }

  @Override
  public List<Extent> extents(long at, long length) {
    Objects.checkFromIndexSize(at, length, size);
    List<Extent> extents = new ArrayList<>();
    long position = at;
    long end = at + length;
    while (position < end) {
      boolean data = pages.containsKey(position / PAGE);
      Long change = position / PAGE;
      if (data) {
        while (pages.containsKey(change)) {
          change++;
        }
      } else {
        change = pages.ceilingKey(change);
      }
      long until = change == null ? end : Math.min(end, change * PAGE);
      extents.add(new Extent(position, until - position, data ? Status.DATA : Status.UNALLOCATED));
      position = until;
    }
    return extents;
  }

  /** All of it; for small disks. */
  byte[] content() {
    ByteBuffer all = ByteBuffer.allocate((int) size);
    read(0, all);
    return all.array();
  }

  @Override
  public void close() {}
}
