package dev.cowbell.qcow2.build;

import dev.cowbell.bitmaps.directory.SerializedBitmap;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * How large an image would become, reckoned as {@code qemu-img measure} does. All in bytes.
 *
 * @param required what a copy of the disk would take; metadata is counted for all of the disk
 * @param fullyAllocated what an image takes in which all of the disk is stored
 */
public record ImageMeasure(long required, long fullyAllocated) {
  private static final long WINDOW = 1L << 30;
  private static final int SECTOR = 512;
  private static final int DIRECTORY_ENTRY = 24;
  private static final int DIRECTORY_ALIGNMENT = 8;

  /** A raw image of a disk. */
  public static ImageMeasure ofRaw(long diskSize) {
    long whole = roundUp(diskSize, SECTOR);
    return new ImageMeasure(whole, whole);
  }

  /** An empty qcow2 image. */
  public static ImageMeasure ofEmpty(long diskSize, NewImageOptions options)
      throws UnsupportedFeatureException {
    return ofQcow2(roundUp(diskSize, options.geometry().clusterSize()), 0, options);
  }

  /** A qcow2 image with the content of a disk. */
  public static ImageMeasure ofCopy(GuestDisk disk, NewImageOptions options) throws IOException {
    long whole = roundUp(disk.size(), options.geometry().clusterSize());
    // how much of the backing file is the disk's own is not known: assume the worst
    long stored =
        options.backing().isPresent() ? whole : stored(disk, options.geometry().clusterSize());
    return ofQcow2(whole, stored, options);
  }

  private static long stored(GuestDisk disk, int clusterSize) throws IOException {
    long clusters = 0;
    long counted = 0; // all clusters before this guest offset are done with
    for (long at = 0; at < disk.size(); at += WINDOW) {
      for (Extent extent : disk.extents(at, Math.min(WINDOW, disk.size() - at))) {
        if (extent.status() == Extent.Status.DATA) {
          long first = Math.max(extent.offset() & -clusterSize, counted);
          long end = Math.max(roundUp(extent.end(), clusterSize), first);
          clusters += (end - first) / clusterSize;
          counted = end;
        }
      }
    }
    return clusters * clusterSize;
  }

  private static ImageMeasure ofQcow2(long whole, long stored, NewImageOptions options)
      throws UnsupportedFeatureException {
    Geometry geometry = options.geometry();
    if (geometry.l1EntriesFor(whole) > Geometry.MAX_L1_BYTES / Geometry.L1_ENTRY_SIZE) {
      throw new UnsupportedFeatureException(
          "a disk of %d bytes is too large for clusters of %d bytes; use larger clusters"
              .formatted(whole, geometry.clusterSize()));
    }
    boolean takesAll =
        options.preallocation() == Preallocation.FALLOC
            || options.preallocation() == Preallocation.FULL;
    long all = fullyAllocated(whole, geometry);
    return new ImageMeasure(all - whole + (takesAll ? whole : stored), all);
  }

  private static long fullyAllocated(long whole, Geometry geometry) {
    int clusterSize = geometry.clusterSize();
    long l2 = roundUp(whole / clusterSize, geometry.l2Entries()) * geometry.l2EntrySize();
    long l1 = roundUp(l2 / clusterSize * Geometry.L1_ENTRY_SIZE, clusterSize);
    long clusters = (clusterSize + l1 + l2 + whole) / clusterSize;
    long blocks = 0;
    long table = 0;
    for (long before = -1; before != blocks + table; ) {
      before = blocks + table;
      blocks = divideUp(clusters + before, geometry.refcountBlockEntries());
      table = divideUp(blocks * Long.BYTES, clusterSize);
    }
    return (clusters + blocks + table) * clusterSize;
  }

  /**
   * The same image encrypted.
   *
   * @param headerLength the bytes of its LUKS header with all key material
   */
  public ImageMeasure encrypted(long headerLength, int clusterSize) {
    long header = roundUp(headerLength, clusterSize);
    return new ImageMeasure(required + header, fullyAllocated + header);
  }

  /** What the bitmaps of a disk would take besides. */
  public static long ofBitmaps(List<BitmapInfo> bitmaps, long diskSize, int clusterBits) {
    int clusterSize = 1 << clusterBits;
    long total = 0;
    long directory = 0;
    for (BitmapInfo bitmap : bitmaps) {
      if (!bitmap.inUse()) {
        long clusters =
            SerializedBitmap.tableLength(diskSize, bitmap.granularityBits(), clusterBits);
        total += clusters * clusterSize + roundUp(clusters * Long.BYTES, clusterSize);
        int name = bitmap.name().getBytes(StandardCharsets.UTF_8).length;
        directory += roundUp(DIRECTORY_ENTRY + name, DIRECTORY_ALIGNMENT);
      }
    }
    return total + roundUp(directory, clusterSize);
  }

  private static long divideUp(long value, long unit) {
    return value / unit + (value % unit == 0 ? 0 : 1);
  }

  private static long roundUp(long value, long unit) {
    return divideUp(value, unit) * unit;
  }
}
