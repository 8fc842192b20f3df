package dev.cowbell.agent.repository;

/**
 * The tracking bitmap of a disk.
 *
 * @param bitmap its name in the image
 * @param granularity the bytes that one bit stands for, a power of two from 512 bytes to 2 GiB
 */
public record TrackingRecord(String bitmap, long granularity) {

  /** What the names of all our bitmaps begin with. */
  public static final String PREFIX = "cowbell:";

  static final int MAX_NAME = 1023;
  static final long MIN_GRANULARITY = 1L << 9;
  static final long MAX_GRANULARITY = 1L << 31;

  public TrackingRecord {
    if (!bitmap.startsWith(PREFIX) || bitmap.length() > MAX_NAME) {
      throw new IllegalArgumentException("not a tracking bitmap's name: " + Names.shown(bitmap));
    }
    if (granularity < MIN_GRANULARITY
        || granularity > MAX_GRANULARITY
        || Long.bitCount(granularity) != 1) {
      throw new IllegalArgumentException(
          "granularity %d is no power of two from 512 to 2^31".formatted(granularity));
    }
  }

  /**
   * The name of the bitmap that records changes since a point.
   *
   * @param disksOfPoint how many disks the point has; of several, each gets a name of its own, so
   *     that images which trade places are not taken for each other
   */
  public static String bitmapName(PointId point, DiskName disk, int disksOfPoint) {
    return PREFIX + point + (disksOfPoint > 1 ? ":" + disk : "");
  }
}
