package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.directory.BitmapEntry;

/**
 * What is known of a bitmap without reading its bits.
 *
 * @param granularityBits the granularity as a power of two, 9 to 31
 * @param enabled whether it records writes
 * @param inUse whether it was not saved after its last use: its content is unknown, and all that
 *     can be done is to remove it
 */
public record BitmapInfo(String name, int granularityBits, boolean enabled, boolean inUse) {

  static BitmapInfo of(BitmapEntry entry) {
    return new BitmapInfo(entry.name(), entry.granularityBits(), entry.enabled(), entry.inUse());
  }

  /** The bytes that one bit stands for. */
  public long granularity() {
    return 1L << granularityBits;
  }
}
