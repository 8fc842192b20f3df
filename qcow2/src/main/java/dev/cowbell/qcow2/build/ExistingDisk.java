package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.WritableDisk;
import java.io.IOException;

/** A disk that exists and is written over. Where it puts things is its own affair. */
public final class ExistingDisk implements CopyTarget {
  private final WritableDisk disk;
  private final long diskSize;
  private final int unit;
  private final boolean isZero;

  /**
   * Prepares for writing over the first bytes of a disk.
   *
   * @param diskSize how many bytes will be written over, at most the disk's size
   * @param unit the smallest run that is written or made zero, a power of two: best its clusters'
   * @param isZero whether the disk is known to read as zeroes
   */
  public ExistingDisk(WritableDisk disk, long diskSize, int unit, boolean isZero)
      throws IOException {
    if (disk.size() < diskSize) {
      throw new IOException(
          "the target has %d bytes, the disk needs %d".formatted(disk.size(), diskSize));
    }
    this.disk = disk;
    this.diskSize = diskSize;
    this.unit = unit;
    this.isZero = isZero;
  }

  @Override
  public int unit() {
    return unit;
  }

  @Override
  public boolean startsZero() {
    return isZero;
  }

  @Override
  public long diskSize() {
    return diskSize;
  }

  @Override
  public void place(Chunk chunk) {
    for (int i = 0; i < chunk.units(); i++) {
      chunk.place(i, chunk.guestOffset(i));
    }
  }

  @Override
  public void write(Chunk chunk) throws IOException {
    chunk.writeTo((at, bytes) -> {
      bytes.limit((int) Math.min(bytes.limit(), diskSize - at));
      disk.write(at, bytes);
    });
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i) == Chunk.Fate.ZERO) {
        long at = chunk.guestOffset(i);
        long length = Math.min(unit, diskSize - at);
        disk.writeZeroes(at, length, WritableDisk.ZeroSpace.MAY_FREE);
      }
    }
  }

  @Override
  public void placeZeroes(long at, long length) throws IOException {
    if (!isZero) {
      disk.writeZeroes(at, length, WritableDisk.ZeroSpace.MAY_FREE);
    }
  }

  @Override
  public void finish() {}
}
