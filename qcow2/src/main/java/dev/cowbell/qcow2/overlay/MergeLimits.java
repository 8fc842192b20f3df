package dev.cowbell.qcow2.overlay;

/**
 * When bytes of a merge are copied inside the store instead of being moved through this process.
 *
 * @param shortestCopy the shortest range that is worth a request of its own
 * @param longestGap the most dead bytes in a row that are copied along
 */
public record MergeLimits(long shortestCopy, long longestGap) {

  /** What S3 takes as a part, and what is cheaper to keep than to cut out. */
  public static final MergeLimits USUAL = new MergeLimits(5 << 20, 64 << 10);

  /** Of a copied range, at most one part in so many is dead. */
  static final int DEAD_SHARE = 8;

  public MergeLimits {
    if (shortestCopy < 1 || longestGap < 0) {
      throw new IllegalArgumentException("copies of " + shortestCopy + ", gaps of " + longestGap);
    }
  }
}
