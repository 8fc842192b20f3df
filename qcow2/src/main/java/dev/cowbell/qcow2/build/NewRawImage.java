package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;

/**
 * A raw image in the making: zeroes become holes in a new file, and are written to a file or device
 * that held something before.
 */
public final class NewRawImage implements CopyTarget {

  /** What the file holds before. */
  public enum Before {
    /** Nothing: it is empty and becomes as large as the disk. */
    NOTHING,
    /** Zeroes, as the user says. */
    ZEROES,
    /** Something that has to be written over. */
    ANYTHING
  }

  private final HostFile file;
  private final long diskSize;
  private final int unit;
  private final boolean startsZero;
  private final Preallocation preallocation;

  /**
   * Begins an image in a file that is new, or must be taken as it is.
   *
   * @param diskSize in bytes
   * @param unit the smallest run of zeroes that becomes a hole, a power of two
   * @param preallocation of the space that holds nothing but zeroes; not {@code METADATA}
   */
  public NewRawImage(
      HostFile file, long diskSize, int unit, Before before, Preallocation preallocation)
      throws IOException {
    if (preallocation == Preallocation.METADATA) {
      throw new IllegalArgumentException("a raw image has no metadata");
    }
    this.preallocation = preallocation;
    this.file = file;
    this.diskSize = diskSize;
    this.unit = unit;
    this.startsZero = before != Before.ANYTHING;
    if (before == Before.NOTHING) {
      file.resize(diskSize);
    } else if (file.size() < diskSize) {
      throw new IOException(
          "%s: has %d bytes, the disk needs %d".formatted(file.name(), file.size(), diskSize));
    }
  }

  @Override
  public int unit() {
    return unit;
  }

  @Override
  public boolean startsZero() {
    return startsZero;
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
      file.write(at, bytes);
    });
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i) == Chunk.Fate.ZERO) {
        int first = i;
        while (i + 1 < chunk.units() && chunk.fate(i + 1) == Chunk.Fate.ZERO) {
          i++;
        }
        long at = chunk.guestOffset(first);
        long end = Math.min(chunk.guestOffset(i) + unit, diskSize);
        file.punchHole(at, end - at);
      }
    }
  }

  @Override
  public void placeZeroes(long at, long length) throws IOException {
    if (!startsZero) {
      file.punchHole(at, length);
    }
  }

  @Override
  public void finish() throws IOException {
    preallocation.apply(file, diskSize);
  }
}
