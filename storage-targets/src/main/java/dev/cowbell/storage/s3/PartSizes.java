package dev.cowbell.storage.s3;

import dev.cowbell.storage.ObjectStore;

/**
 * How long the parts of an upload are. S3 takes at most 10,000 parts, each but the last at least 5
 * MiB and none beyond 5 GiB, together up to 5 TiB; and the parts being filled and sent are held in
 * memory. So parts begin small and grow with what is uploaded already, by 1/1300 of it: then 10,000
 * are enough for any object, and those under 10 GiB never leave the smallest size.
 *
 * @param base the size to begin with, in bytes
 * @param expected the length up to which {@code base} alone is enough, or 0
 * @param growth of what part of the uploaded bytes a further part is made
 */
record PartSizes(long base, long expected, long growth) {

  static final int MAX_PARTS = 10_000;
  static final long MIN_PART = 5L << 20;
  static final long MAX_PART = 5L << 30;

  private static final long MIB = 1L << 20;
  private static final long SMALLEST_BASE = 8 * MIB;
  private static final long SLOWEST_GROWTH = 1300;

  /** Of the parts, what an announced length is spread over; the rest is for surprises. */
  private static final long PLANNED_PARTS = 8_000;

  /** Below this many parts, server-side copies may be as small as S3 allows. */
  private static final int PLENTY_OF_PARTS_LEFT = 4_000;

  /** Server-side copies are cut into pieces of about this length, which go on side by side. */
  private static final long COPY_PIECE = 64 * MIB;

  /**
   * @param expectedLength about how long the object will be at most; 0 if unknown
   */
  static PartSizes forLength(long expectedLength) {
    long even = (expectedLength + PLANNED_PARTS - 1) / PLANNED_PARTS;
    long base = Math.max(SMALLEST_BASE, (even + MIB - 1) / MIB * MIB);
    if (expectedLength <= SLOWEST_GROWTH * SMALLEST_BASE) {
      return new PartSizes(base, expectedLength, SLOWEST_GROWTH);
    }
    // Should the object outgrow what was announced, the parts left have to reach as far as S3 does,
    // each a fixed fraction of all before it, though none beyond the longest.
    double partsLeft = MAX_PARTS - (double) expectedLength / base;
    double factor = Math.max(2, (double) ObjectStore.MAX_OBJECT_SIZE / expectedLength);
    long growth = (long) Math.min(SLOWEST_GROWTH, 0.75 * partsLeft / Math.log(factor));
    return new PartSizes(base, expectedLength, growth);
  }

  /**
   * How long the first part is, which stays in memory: as short as may be, but it holds the head.
   */
  static long first(int headLength) {
    return Math.max(SMALLEST_BASE, headLength);
  }

  /** How long the next part is when so many bytes have gone into parts before it. */
  long next(long uploaded) {
    if (uploaded <= expected) {
      return base;
    }
    long grown = uploaded / growth / MIB * MIB;
    return Math.min(Math.max(base, grown), MAX_PART);
  }

  /** How long a range has to be for its copy to be worth parts of its own. */
  long shortestCopy(int partsUsed, long uploaded) {
    return partsUsed < PLENTY_OF_PARTS_LEFT ? MIN_PART : Math.max(MIN_PART, 2 * next(uploaded));
  }

  /** Into how many parts of equal length a copied range is cut. */
  int copyPieces(long length, long uploaded) {
    long piece = Math.min(Math.max(COPY_PIECE, 4 * next(uploaded)), MAX_PART);
    return Math.toIntExact((length + piece - 1) / piece);
  }
}
