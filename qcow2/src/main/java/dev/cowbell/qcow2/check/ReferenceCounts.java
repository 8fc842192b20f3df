package dev.cowbell.qcow2.check;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * How often each host cluster of one window of the file is referred to. Pages without references
 * take no memory, a page of small counts takes one byte per cluster.
 */
final class ReferenceCounts {

  /** The clusters that are looked at in one go; 32 MiB of memory while all counts are small. */
  static final long WINDOW = 1L << 25;

  private static final int PAGE_BITS = 16;
  private static final int PAGE = 1 << PAGE_BITS;
  private static final int MAX_SMALL = 0xff;

  private final byte[] @Nullable [] small = new byte[(int) (WINDOW >> PAGE_BITS)][];
  private final int[] @Nullable [] wide = new int[(int) (WINDOW >> PAGE_BITS)][];
  private long first;

  /** Forgets everything and begins to count clusters {@code first} to {@code first + WINDOW}. */
  void moveTo(long firstCluster) {
    first = firstCluster;
    Arrays.fill(small, null);
    Arrays.fill(wide, null);
  }

  boolean contains(long cluster) {
    return cluster >= first && cluster < first + WINDOW;
  }

  /** The first cluster of the window. */
  long first() {
    return first;
  }

  /** How often a cluster of the window is referred to. */
  long get(long cluster) {
    int page = pageOf(cluster);
    int index = (int) cluster & (PAGE - 1);
    int[] large = wide[page];
    if (large != null) {
      return large[index];
    }
    byte[] counts = small[page];
    return counts == null ? 0 : counts[index] & MAX_SMALL;
  }

  /**
   * Adds references to a cluster of the window.
   *
   * @param max the count that is not exceeded
   * @return whether the count would have become more than {@code max}
   */
  boolean add(long cluster, long references, long max) {
    long limit = Math.min(max, Integer.MAX_VALUE);
    long wanted = get(cluster) + references;
    set(cluster, (int) Math.min(wanted, limit));
    return wanted > max;
  }

  /** The first cluster from {@code from} on that has references, or the window's end. */
  long next(long from) {
    long cluster = from;
    long end = first + WINDOW;
    while (cluster < end) {
      int page = pageOf(cluster);
      if (small[page] == null && wide[page] == null) {
        cluster = (cluster | (PAGE - 1)) + 1;
      } else if (get(cluster) > 0) {
        return cluster;
      } else {
        cluster++;
      }
    }
    return end;
  }

  /** The cluster behind the last one of the window that has references; 0 for none. */
  long end() {
    for (long cluster = first + WINDOW - 1; cluster >= first; cluster--) {
      int page = pageOf(cluster);
      if (small[page] == null && wide[page] == null) {
        cluster &= -PAGE;
      } else if (get(cluster) > 0) {
        return cluster + 1;
      }
    }
    return 0;
  }

  private void set(long cluster, int count) {
    int page = pageOf(cluster);
    int index = (int) cluster & (PAGE - 1);
    int[] large = wide[page];
    if (large == null && count > MAX_SMALL) {
      large = widen(small[page]);
      wide[page] = large;
      small[page] = null;
    }
    if (large != null) {
      large[index] = count;
      return;
    }
    byte[] counts = small[page];
    if (counts == null) {
      counts = new byte[PAGE];
      small[page] = counts;
    }
    counts[index] = (byte) count;
  }

  private static int[] widen(byte @Nullable [] counts) {
    int[] large = new int[PAGE];
    if (counts != null) {
      for (int i = 0; i < PAGE; i++) {
        large[i] = counts[i] & MAX_SMALL;
      }
    }
    return large;
  }

  private int pageOf(long cluster) {
    return (int) ((cluster - first) >> PAGE_BITS);
  }
}
