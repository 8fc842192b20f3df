package dev.cowbell.qcow2.bench;

import java.util.OptionalLong;

/**
 * Where the requests of a benchmark go.
 *
 * @param count how many there are, at least 0
 * @param length the bytes of each, at least 1
 * @param step from one request's first byte to the next one's, at least 0
 * @param offset the first request's first byte
 * @param seed for requests at random multiples of their length, instead of steps
 */
public record RequestPattern(int count, int length, int step, long offset, OptionalLong seed) {
  private static final long GOLDEN = 0x9e37_79b9_7f4a_7c15L;

  public RequestPattern {
    if (count < 0 || length < 1 || step < 0 || offset < 0) {
      throw new IllegalArgumentException(
          "%d requests of %d bytes from %d on, %d apart".formatted(count, length, offset, step));
    }
  }

  /**
   * The first byte of a request. Steps go round: what would not lie on the disk wholly starts again
   * near its beginning.
   *
   * @param index of the request, from 0
   * @param size of the disk, at least {@link #length()}
   */
  public long at(int index, long size) {
    if (seed.isPresent()) {
      long places = size / length;
      return Long.remainderUnsigned(mixed(seed.getAsLong() + (index + 1) * GOLDEN), places)
          * length;
    }
    long at = offset + (long) index * step;
    long last = size - length;
    return at <= last ? at : last == 0 ? 0 : at % last;
  }

  /** The finisher of SplitMix64: neighbours in, strangers out. */
  private static long mixed(long z) {
    long a = (z ^ (z >>> 30)) * 0xbf58_476d_1ce4_e5b9L;
    long b = (a ^ (a >>> 27)) * 0x94d0_49bb_1331_11ebL;
    return b ^ (b >>> 31);
  }
}
