package dev.cowbell.qcow2.overlay;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.format.Geometry;

/**
 * The cluster size of an overlay, and what made it the choice. Small clusters make cheap L2 tables
 * where changes are scattered, but a long L1 table and worse compression; the estimate weighs them.
 *
 * @param clusterSize in bytes
 * @param l1Bytes the L1 table's length
 * @param l2Bytes the length of all L2 tables that are touched
 * @param dataBytes an estimate of the frames' length
 */
public record OverlaySizing(int clusterSize, long l1Bytes, long l2Bytes, long dataBytes) {

  /** What images without a cluster size of their own (raw files) get. */
  public static final int DEFAULT_CLUSTER = 64 << 10;

  /**
   * What is left of a file system's content, in parts of 10000, when it is packed in clusters of 4
   * KiB, 8 KiB … 2 MiB (zstd level 2; measured on an ext4 image of a Linux installation).
   */
  private static final int[] STORED = {4670, 4395, 4188, 4055, 3940, 3849, 3708, 3665, 3518, 3435};

  private static final int WHOLE = 10_000;

  /** What the overlay is estimated to take, apart from some clusters of other metadata. */
  public long totalBytes() {
    return l1Bytes + l2Bytes + dataBytes;
  }

  /**
   * The cluster size of a full: the source's, as far as an overlay may have it.
   *
   * @param sourceClusterSize in bytes; {@link #DEFAULT_CLUSTER} for a source that has none
   */
  public static int forFull(long diskSize, int sourceClusterSize) {
    int wanted =
        Math.clamp(
            Integer.highestOneBit(sourceClusterSize),
            OverlaySpec.MIN_CLUSTER,
            OverlaySpec.MAX_CLUSTER);
    return Math.max(wanted, smallestFor(diskSize));
  }

  /**
   * The sizing of an increment: of all powers of two from 4 KiB to the granularity the one that is
   * estimated to take the least. Takes time with the number of changed runs.
   *
   * @param changed what the overlay will hold
   * @param granularity the length of what one bit of the tracking bitmap stands for: smaller
   *     changes are not known
   */
  public static OverlaySizing forIncrement(long diskSize, ExtentSet changed, long granularity) {
    int least = smallestFor(diskSize);
    int most =
        Math.clamp(Long.highestOneBit(Math.max(1, granularity)), least, OverlaySpec.MAX_CLUSTER);
    OverlaySizing best = estimate(diskSize, changed, least);
    for (int clusterSize = 2 * least; clusterSize <= most; clusterSize *= 2) {
      OverlaySizing other = estimate(diskSize, changed, clusterSize);
      best = other.totalBytes() <= best.totalBytes() ? other : best;
    }
    return best;
  }

  /** What an overlay with clusters of a given size would take. */
  static OverlaySizing estimate(long diskSize, ExtentSet changed, int clusterSize) {
    Geometry geometry = OverlaySpec.geometry(clusterSize);
    long clusters = 0;
    long tables = 0;
    long doneCluster = 0;
    long doneTable = 0;
    for (int i = 0; i < changed.runCount(); i++) {
      long first = Math.max(doneCluster, changed.start(i) >>> geometry.clusterBits());
      long end = geometry.clustersFor(Math.min(changed.end(i), diskSize));
      if (first >= end) {
        continue;
      }
      clusters += end - first;
      doneCluster = end;
      long firstTable = Math.max(doneTable, first >>> geometry.l2Bits());
      long endTable = ((end - 1) >>> geometry.l2Bits()) + 1;
      tables += Math.max(0, endTable - firstTable);
      doneTable = endTable;
    }
    long l1Bytes = geometry.l1EntriesFor(diskSize) * Geometry.L1_ENTRY_SIZE;
    int stored = STORED[geometry.clusterBits() - 12];
    return new OverlaySizing(
        clusterSize,
        geometry.clustersFor(l1Bytes) * clusterSize,
        tables * clusterSize,
        clusters * clusterSize / WHOLE * stored);
  }

  /**
   * The smallest cluster size whose L1 table QEMU accepts.
   *
   * @throws IllegalArgumentException if there is none
   */
  private static int smallestFor(long diskSize) {
    for (int size = OverlaySpec.MIN_CLUSTER; size <= OverlaySpec.MAX_CLUSTER; size *= 2) {
      long entries = OverlaySpec.geometry(size).l1EntriesFor(diskSize);
      if (entries <= Geometry.MAX_L1_BYTES / Geometry.L1_ENTRY_SIZE) {
        return size;
      }
    }
    throw new IllegalArgumentException(
        "a disk of " + diskSize + " bytes is larger than qcow2 can describe");
  }
}
