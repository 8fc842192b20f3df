package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.overlay.MergePlan.Copy;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Where in a merged overlay the ranges are that are copied as they are. */
final class CopiedRanges {

  private record Place(Copy copy, long to) {}

  private final Map<Integer, TreeMap<Long, Place>> byOverlay = new HashMap<>();

  /**
   * @param start where the first of them begins in the merged overlay; the others follow
   */
  CopiedRanges(List<Copy> copies, long start) {
    long to = start;
    for (Copy copy : copies) {
      byOverlay
          .computeIfAbsent(copy.overlay(), _ -> new TreeMap<>())
          .put(copy.at(), new Place(copy, to));
      to += copy.length();
    }
  }

  /** Where a frame goes; -1 if no range holds it. */
  long placeOf(int overlay, long host, long end) {
    TreeMap<Long, Place> ranges = byOverlay.get(overlay);
    Map.Entry<Long, Place> entry = ranges == null ? null : ranges.floorEntry(host);
    if (entry == null || end > entry.getValue().copy().end()) {
      return -1;
    }
    return entry.getValue().to() + host - entry.getValue().copy().at();
  }
}
