package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A disk that shows zeroes where another one can't be read, sector by sector, so that the rest of
 * it can be saved.
 */
public final class SalvagedDisk implements GuestDisk {
  private static final int SECTOR = 512;

  /** Hears of what is lost; called by several threads. */
  @FunctionalInterface
  public interface Losses {
    /**
     * Takes note of a range that reads as zeroes although it may hold something.
     *
     * @param at a guest offset
     */
    void lost(long at, long length, IOException why);
  }

  private final GuestDisk disk;
  private final Losses losses;

  private SalvagedDisk(GuestDisk disk, Losses losses) {
    this.disk = disk;
    this.losses = losses;
  }

  /** Closing the one that is returned does nothing. */
  public static SalvagedDisk over(GuestDisk disk, Losses losses) {
    return new SalvagedDisk(disk, losses);
  }

  @Override
  public long size() {
    return disk.size();
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    int start = dst.position();
    int limit = dst.limit();
    try {
      disk.read(at, dst);
      return;
    } catch (IOException _) {
      dst.limit(limit).position(start);
    }
    long lostAt = at;
    long lost = 0;
    IOException why = null;
    for (int done = 0; done < limit - start; ) {
      int step = (int) Math.min(SECTOR - (at + done) % SECTOR, limit - start - done);
      dst.limit(start + done + step).position(start + done);
      try {
        disk.read(at + done, dst);
        if (why != null) {
          losses.lost(lostAt, lost, why);
          why = null;
        }
      } catch (IOException e) {
        if (why == null) {
          lostAt = at + done;
          lost = 0;
          why = e;
        }
        lost += step;
        for (int i = start + done; i < start + done + step; i++) {
          dst.put(i, (byte) 0);
        }
      }
      done += step;
    }
    dst.limit(limit).position(limit);
    if (why != null) {
      losses.lost(lostAt, lost, why);
    }
  }

  /** What the map can't tell counts as data, so that an attempt is made to read it. */
  @Override
  public List<Extent> extents(long at, long length) throws IOException {
    try {
      return disk.extents(at, length);
    } catch (IOException e) {
      if (length <= SECTOR) {
        return List.of(new Extent(at, length, Extent.Status.DATA));
      }
    }
    long half = Math.max(SECTOR, length / 2 & -SECTOR);
    List<Extent> joined = new ArrayList<>(extents(at, half));
    for (Extent extent : extents(at + half, length - half)) {
      Extent last = joined.getLast();
      if (last.status() == extent.status()) {
        joined.removeLast();
        joined.add(new Extent(last.offset(), last.length() + extent.length(), last.status()));
      } else {
        joined.add(extent);
      }
    }
    return joined;
  }

  @Override
  public void close() {}
}
