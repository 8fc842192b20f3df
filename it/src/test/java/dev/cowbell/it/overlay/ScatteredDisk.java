package dev.cowbell.it.overlay;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.Run;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.Extent.Status;
import dev.cowbell.qcow2.GuestDisk;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A huge disk with random content in some places and nothing elsewhere. */
final class ScatteredDisk implements GuestDisk {
  private static final int BLOCK = 4096;

  private final long size;
  private final ExtentSet content;

  ScatteredDisk(long size, ExtentSet content) {
    this.size = size;
    this.content = content;
  }

  /** Pieces of the same length, spread evenly. */
  static ScatteredDisk even(long size, int pieces, long length) {
    ExtentSet.Builder content = ExtentSet.builder();
    for (long i = 0; i < pieces; i++) {
      content.add(i * (size / pieces) & -length, length);
    }
    return new ScatteredDisk(size, content.build());
  }

  ExtentSet content() {
    return content;
  }

  @Override
  public long size() {
    return size;
  }

  /** Reads whole blocks of 4 KiB. */
  @Override
  public void read(long at, ByteBuffer dst) {
    for (long block = at; dst.hasRemaining(); block += BLOCK) {
      boolean present = content.contains(block);
      for (int i = 0; i < BLOCK; i += Long.BYTES) {
        dst.putLong(present ? noise(block + i) : 0);
      }
    }
  }

  /** Random to a compressor, and the same each time. */
  private static long noise(long position) {
    long x = position * 0x9e3779b97f4a7c15L;
    x = (x ^ (x >>> 30)) * 0xbf58476d1ce4e5b9L;
    x = (x ^ (x >>> 27)) * 0x94d049bb133111ebL;
    return x ^ (x >>> 31);
  }

  @Override
  public List<Extent> extents(long at, long length) {
    List<Extent> extents = new ArrayList<>();
    long done = at;
    for (Run run : content.clip(at, length)) {
      if (run.offset() > done) {
        extents.add(new Extent(done, run.offset() - done, Status.UNALLOCATED));
      }
      extents.add(new Extent(run.offset(), run.length(), Status.DATA));
      done = run.end();
    }
    if (done < at + length) {
      extents.add(new Extent(done, at + length - done, Status.UNALLOCATED));
    }
    return extents;
  }

  @Override
  public void close() {}
}
