package dev.cowbell.qcow2.refcount;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Runs of clusters that are known to be free, in the order of their places and joined where they
 * touch. Of more than a bounded number the highest are forgotten.
 */
final class FreeRanges {
  private static final int MAX_RANGES = 1 << 16;

  private final TreeMap<Long, Long> ends = new TreeMap<>();

  /** A run of clusters. */
  record Range(long start, long end) {}

  void add(long start, long end) {
    long from = start;
    long to = end;
    Map.Entry<Long, Long> before = ends.floorEntry(start);
    if (before != null && before.getValue() >= start) {
      from = before.getKey();
      to = Math.max(to, before.getValue());
    }
    Map.Entry<Long, Long> next = ends.ceilingEntry(start);
    while (next != null && next.getKey() <= to) {
      to = Math.max(to, next.getValue());
      ends.remove(next.getKey());
      next = ends.ceilingEntry(start);
    }
    ends.put(from, to);
    if (ends.size() > MAX_RANGES) {
      ends.pollLastEntry();
    }
  }

  /** The first run, if there is one. */
  @Nullable Range first() {
    Map.Entry<Long, Long> first = ends.firstEntry();
    return first == null ? null : new Range(first.getKey(), first.getValue());
  }

  /** Takes clusters out, wherever they are. */
  void remove(long start, long end) {
    Map.Entry<Long, Long> before = ends.lowerEntry(start);
    if (before != null && before.getValue() > start) {
      ends.put(before.getKey(), start);
      if (before.getValue() > end) {
        ends.put(end, before.getValue());
      }
    }
    Map.Entry<Long, Long> next = ends.ceilingEntry(start);
    while (next != null && next.getKey() < end) {
      ends.remove(next.getKey());
      if (next.getValue() > end) {
        ends.put(end, next.getValue());
      }
      next = ends.ceilingEntry(start);
    }
  }

  boolean isEmpty() {
    return ends.isEmpty();
  }
}
