package dev.cowbell.bitmaps.directory;

import dev.cowbell.bitmaps.DirtyBitmap;
import java.nio.ByteBuffer;

/**
 * How a bitmap's bits are spread over clusters: bit i of byte j in cluster k stands for granule
 * {@code 8 · (k · cluster size + j) + i} (spec: "Bitmap data").
 */
public final class SerializedBitmap {

  /** What one table entry has to say about its part of a bitmap. */
  public enum Form {
    /** All bits are zero; nothing is stored. */
    ZEROES,
    /** All bits are one; nothing is stored. */
    ONES,
    /** A data cluster holds them. */
    DATA
  }

  private SerializedBitmap() {}

  /**
   * The number of table entries, and so of clusters' worth of bits, that a bitmap needs.
   *
   * @param diskSize in bytes, 0 or more
   */
  public static long tableLength(long diskSize, int granularityBits, int clusterBits) {
    int shift = coverageShift(granularityBits, clusterBits);
    return (diskSize >>> shift) + ((diskSize & (1L << shift) - 1) == 0 ? 0 : 1);
  }

  /** The disk bytes that one table entry stands for, as a power of two; at most 55. */
  public static int coverageShift(int granularityBits, int clusterBits) {
    return granularityBits + 3 + clusterBits;
  }

  /**
   * Refuses a bitmap that QEMU could not store.
   *
   * @throws BitmapFormatException saying how much it would take and what is allowed
   */
  public static void checkStorable(long diskSize, int granularityBits, int clusterBits)
      throws BitmapFormatException {
    if (diskSize == 0) {
      throw new BitmapFormatException("a disk of 0 bytes can't have a persistent bitmap");
    }
    if (granularityBits < DirtyBitmap.MIN_GRANULARITY_BITS
        || granularityBits > DirtyBitmap.MAX_GRANULARITY_BITS) {
      throw new BitmapFormatException(
          "granularity 2^%d is not allowed; it must be 2^9 to 2^31 bytes"
              .formatted(granularityBits));
    }
    long entries = tableLength(diskSize, granularityBits, clusterBits);
    if (entries > BitmapLimits.MAX_DATA_SIZE >>> clusterBits) {
      throw new BitmapFormatException(
          "a bitmap of granularity %d for a disk of %d bytes takes more than %d bytes; use a larger granularity"
              .formatted(1L << granularityBits, diskSize, BitmapLimits.MAX_DATA_SIZE));
    }
  }

  /** The form in which part {@code index} of a bitmap is stored. */
  public static Form formOf(DirtyBitmap bitmap, int index, int clusterBits) {
    long start = start(bitmap, index, clusterBits);
    long end = end(bitmap, index, clusterBits);
    if (!bitmap.anyDirty(start, end - start)) {
      return Form.ZEROES;
    }
    return bitmap.allDirty(start, end - start) ? Form.ONES : Form.DATA;
  }

  /** Fills {@code cluster}, one cluster from position to limit, with part {@code index}. */
  public static void encode(DirtyBitmap bitmap, int index, int clusterBits, ByteBuffer cluster) {
    bitmap.getPacked((long) index << (clusterBits + 3), cluster);
  }

  /**
   * Adds part {@code index} from its data cluster to a bitmap. Bits behind the disk's end are
   * ignored, as QEMU does.
   */
  public static void decode(DirtyBitmap bitmap, int index, int clusterBits, ByteBuffer cluster) {
    bitmap.setPacked((long) index << (clusterBits + 3), cluster);
  }

  /** Adds part {@code index}, all of it dirty, to a bitmap. */
  public static void decodeOnes(DirtyBitmap bitmap, int index, int clusterBits) {
    long start = start(bitmap, index, clusterBits);
    bitmap.set(start, end(bitmap, index, clusterBits) - start);
  }

  private static long start(DirtyBitmap bitmap, int index, int clusterBits) {
    return (long) index << coverageShift(bitmap.granularityBits(), clusterBits);
  }

  private static long end(DirtyBitmap bitmap, int index, int clusterBits) {
    long coverage = 1L << coverageShift(bitmap.granularityBits(), clusterBits);
    long start = start(bitmap, index, clusterBits);
    return bitmap.size() - start <= coverage ? bitmap.size() : start + coverage;
  }
}
