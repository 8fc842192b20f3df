package dev.cowbell.qcow2.layers;

import dev.cowbell.qcow2.MapEntry;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.WritableDisk;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.build.Preallocation;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Gives a disk another size, as {@code qemu-img resize} does: space for what is new can be taken at
 * once, and space of what is cut off goes back to the host. Durable when it returns.
 */
public final class DiskResize {
  private static final int SECTOR = 512;
  private static final int STEP = 1 << 20;

  private final long size;
  private final Shrinking shrinking;
  private final Preallocation preallocation;

  /**
   * Says what is wanted.
   *
   * @param size in bytes, more than 0; a multiple of 512 for a qcow2 image
   * @param preallocation of the space for what is new; only {@code OFF} for a disk that shrinks
   */
  public DiskResize(long size, Shrinking shrinking, Preallocation preallocation) {
    if (size <= 0) {
      throw new IllegalArgumentException("the new size must be more than 0, it is " + size);
    }
    this.size = size;
    this.shrinking = shrinking;
    this.preallocation = preallocation;
  }

  private void check(long oldSize) {
    if (size < oldSize && shrinking == Shrinking.REFUSED) {
      throw new IllegalArgumentException(
          "the disk would shrink from %d to %d bytes, which was not allowed"
              .formatted(oldSize, size));
    }
    if (size < oldSize && preallocation != Preallocation.OFF) {
      throw new IllegalArgumentException("preallocation can't be used for shrinking a disk");
    }
  }

  /**
   * Resizes a qcow2 image.
   *
   * @throws IllegalArgumentException if the disk would shrink in a way that was not allowed
   * @throws UnsupportedFeatureException if the format does not allow it
   */
  public void of(Qcow2Image image) throws IOException {
    long oldSize = image.size();
    if (size % SECTOR != 0) {
      throw new IllegalArgumentException(
          "the new size must be a multiple of %d, it is %d".formatted(SECTOR, size));
    }
    check(oldSize);
    image.resize(size, shrinking);
    if (size < oldSize) {
      image.edit(SpareSpace::giveBack);
    } else if (size > oldSize) {
      preallocate(image, oldSize);
    }
  }

  private void preallocate(Qcow2Image image, long from) throws IOException {
    switch (preallocation) {
      case OFF -> {}
      case METADATA -> image.writeZeroes(from, size - from, ZeroSpace.KEEP);
      case FALLOC -> {
        image.writeZeroes(from, size - from, ZeroSpace.KEEP);
        image.flush();
        if (!allocate(image, from)) {
          fill(image, from);
        }
      }
      case FULL -> fill(image, from);
    }
    image.flush();
  }

  /** Has the host keep space for every cluster of what is new; false where it can't. */
  private boolean allocate(Qcow2Image image, long from) throws IOException {
    List<MapEntry> placed = new ArrayList<>();
    image.map(from, size - from, placed::add);
    HostFile file = image.file();
    for (MapEntry entry : placed) {
      boolean here = entry.file().filter(file.name()::equals).isPresent();
      if (!here || !file.allocate(entry.offset().orElseThrow(), entry.length())) {
        return false;
      }
    }
    return true;
  }

  /** Resizes a raw image; {@code METADATA} is as {@code OFF}: there is none. */
  public void of(RawDisk disk) throws IOException {
    long oldSize = disk.size();
    check(oldSize);
    disk.resize(size);
    if (size > oldSize) {
      switch (preallocation) {
        case OFF, METADATA -> {}
        case FALLOC -> {
          if (!disk.file().allocate(oldSize, size - oldSize)) {
            fill(disk, oldSize);
          }
        }
        case FULL -> fill(disk, oldSize);
      }
    }
    disk.flush();
  }

  private void fill(WritableDisk disk, long from) throws IOException {
    ByteBuffer zeroes = ByteBuffer.allocateDirect((int) Math.min(STEP, size - from));
    for (long at = from; at < size; at += zeroes.limit()) {
      disk.write(at, zeroes.clear().limit((int) Math.min(zeroes.capacity(), size - at)));
    }
  }
}
