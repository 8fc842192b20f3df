package dev.cowbell.qcow2.check;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/**
 * Ranges of numbers that may overlap, turned into disjoint ones that say how many of the given ones
 * cover them. So tables that many snapshots share are read once.
 */
final class WeightedRanges {

  /**
   * A run of numbers that the same ranges cover.
   *
   * @param start the first number
   * @param end the one behind the last
   * @param weight how many ranges cover it, at least 1
   * @param special how many of them are special
   */
  record Piece(long start, long end, long weight, long special) {}

  private record Change(long weight, long special) {}

  private final TreeMap<Long, Change> changes = new TreeMap<>();

  /** Adds a range; an empty one changes nothing. */
  void add(long start, long end, boolean special) {
    if (start < end) {
      change(start, 1, special ? 1 : 0);
      change(end, -1, special ? -1 : 0);
    }
  }

  /** The disjoint pieces in ascending order. */
  List<Piece> pieces() {
    List<Piece> pieces = new ArrayList<>();
    long from = 0;
    long weight = 0;
    long special = 0;
    for (var entry : changes.entrySet()) {
      long at = entry.getKey();
      if (weight > 0 && from < at) {
        pieces.add(new Piece(from, at, weight, special));
      }
      from = at;
      weight += entry.getValue().weight();
      special += entry.getValue().special();
    }
    return pieces;
  }

  private void change(long at, long weight, long special) {
    changes.merge(
        at,
        new Change(weight, special),
        (a, b) -> new Change(a.weight() + b.weight(), a.special() + b.special()));
  }
}
