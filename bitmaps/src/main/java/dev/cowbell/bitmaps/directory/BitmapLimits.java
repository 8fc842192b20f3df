package dev.cowbell.bitmaps.directory;

/** What QEMU allows of persistent bitmaps; it refuses an image that goes beyond. */
public final class BitmapLimits {

  /** The largest number of bitmaps in one image. */
  public static final int MAX_BITMAPS = 65_535;

  /** The largest bitmap directory in bytes. */
  public static final int MAX_DIRECTORY_SIZE = 1024 * MAX_BITMAPS;

  /** The largest number of entries in one bitmap table. */
  public static final int MAX_TABLE_LENGTH = 0x800_0000;

  /** The largest amount of bits of one bitmap, in bytes of clusters. */
  public static final long MAX_DATA_SIZE = 0x2000_0000L;

  /** The longest bitmap name in bytes. */
  public static final int MAX_NAME_SIZE = 1023;

  private BitmapLimits() {}
}
