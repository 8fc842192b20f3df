package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.overlay.MergePlan.Copy;
import java.util.ArrayList;
import java.util.List;

/**
 * Which parts of an overlay's body are still needed, to the precision of a block: 4 KiB, or more in
 * overlays beyond 256 GiB, so that this takes 8 MiB at most.
 */
final class LiveBlocks {
  private static final int LEAST_BITS = 12;
  private static final int MOST_BLOCKS_BITS = 26;

  private final long size;
  private final long bodyStart;
  private final int blockBits;
  private final long[] live;

  LiveBlocks(long size, long bodyStart) {
    this.size = size;
    this.bodyStart = bodyStart;
    int bits = Long.SIZE - Long.numberOfLeadingZeros(size);
    this.blockBits = Math.max(LEAST_BITS, bits - MOST_BLOCKS_BITS);
    this.live = new long[(int) ((blocks() >>> 6) + 1)];
  }

  private long blocks() {
    return (size + (1L << blockBits) - 1) >>> blockBits;
  }

  /** Bytes of the body are needed. */
  void add(long from, long end) {
    for (long b = from >>> blockBits; b <= (end - 1) >>> blockBits; b++) {
      live[(int) (b >>> 6)] |= 1L << b;
    }
  }

  private boolean isLive(long block) {
    return (live[(int) (block >>> 6)] & (1L << block)) != 0;
  }

  /** The ranges that are worth copying as they are. */
  List<Copy> copies(int overlay, MergeLimits limits) {
    List<Copy> copies = new ArrayList<>();
    long start = -1;
    long end = -1;
    long dead = 0;
    for (long b = next(0); b < blocks(); ) {
      long until = b;
      while (until < blocks() && isLive(until)) {
        until++;
      }
      long gap = start < 0 ? 0 : (b - end) << blockBits;
      long joined = (until - Math.max(0, start)) << blockBits;
      boolean joins =
          start >= 0
              && gap <= limits.longestGap()
              && (dead + gap) * MergeLimits.DEAD_SHARE <= joined;
      if (!joins) {
        addIfLong(copies, overlay, start, end, limits);
        start = b;
        dead = 0;
      } else {
        dead += gap;
      }
      end = until;
      b = next(until);
    }
    addIfLong(copies, overlay, start, end, limits);
    return copies;
  }

  private long next(long from) {
    long b = from;
    while (b < blocks() && !isLive(b)) {
      b = (b & 63) == 0 && live[(int) (b >>> 6)] == 0 ? b + 64 : b + 1;
    }
    return b;
  }

  private void addIfLong(List<Copy> copies, int overlay, long start, long end, MergeLimits limits) {
    if (start < 0) {
      return;
    }
    long at = Math.max(bodyStart, start << blockBits);
    long behind = Math.min(size, end << blockBits);
    if (behind - at >= limits.shortestCopy()) {
      copies.add(new Copy(overlay, at, behind - at));
    }
  }
}
