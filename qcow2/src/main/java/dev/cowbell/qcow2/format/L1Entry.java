package dev.cowbell.qcow2.format;

/**
 * An entry of an L1 table: where the L2 table is (specification: "Cluster mapping").
 *
 * @param word the 64 bits as they stand in the image
 */
public record L1Entry(long word) {
  private static final long OFFSET = 0x00ff_ffff_ffff_fe00L;
  private static final long COPIED = 1L << 63;

  /** An entry for an L2 table at a cluster-aligned host offset. */
  public static L1Entry of(long l2Offset, boolean copied) {
    if ((l2Offset & ~OFFSET) != 0) {
      throw new IllegalArgumentException("no offset for an L2 table: " + l2Offset);
    }
    return new L1Entry(l2Offset | (copied ? COPIED : 0));
  }

  /** {@link #offset()} for loops that keep plain words. */
  public static long offset(long word) {
    return word & OFFSET;
  }

  /** The word without its COPIED flag. */
  public static long withoutCopied(long word) {
    return word & ~COPIED;
  }

  /** The host offset of the L2 table; 0 when there is none. */
  public long offset() {
    return offset(word);
  }

  /** Whether the entry says that the L2 table's refcount is exactly one. */
  public boolean copied() {
    return (word & COPIED) != 0;
  }

  /** The bits that must be zero and are not. */
  public long reserved() {
    return word & ~(OFFSET | COPIED);
  }
}
