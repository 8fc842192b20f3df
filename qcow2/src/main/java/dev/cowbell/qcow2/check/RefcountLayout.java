package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import java.util.BitSet;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Where a new refcount structure, and a new snapshot table, will lie: behind everything that is in
 * use, on no cluster that anything refers to, so that the old structure stays whole until the
 * header refers to the new one. Decided without reading or writing.
 */
final class RefcountLayout {
  private static final int MAX_BLOCKS = Geometry.MAX_REFCOUNT_TABLE_BYTES / Long.BYTES;

  private final Geometry geometry;
  private final NavigableMap<Long, Long> forbidden;
  private final BitSet needed;
  private final TreeMap<Integer, Long> blocks = new TreeMap<>();

  /** The clusters given out: first to the one behind the last. */
  private final TreeMap<Long, Long> taken = new TreeMap<>();

  private final long tableClusters;
  private long cursor;
  private long snapshotTable;
  private long table;

  private RefcountLayout(
      Geometry geometry,
      BitSet needed,
      long base,
      NavigableMap<Long, Long> forbidden,
      long tableClusters) {
    this.geometry = geometry;
    this.needed = (BitSet) needed.clone();
    this.cursor = base;
    this.forbidden = forbidden;
    this.tableClusters = tableClusters;
  }

  /**
   * Decides the layout.
   *
   * @param needed the indices of blocks that have to exist for what is in use
   * @param base the first cluster that may be taken
   * @param forbidden bytes that must not be taken, start to end, disjoint
   * @param snapshotBytes the length of a new snapshot table; 0 for none
   * @throws UnsupportedFeatureException if the file is longer than a refcount table can describe
   */
  static RefcountLayout of(
      Geometry geometry,
      BitSet needed,
      long base,
      NavigableMap<Long, Long> forbidden,
      long snapshotBytes)
      throws UnsupportedFeatureException {
    for (long tableClusters = 1; ; ) {
      RefcountLayout layout = new RefcountLayout(geometry, needed, base, forbidden, tableClusters);
      layout.place(snapshotBytes);
      long wanted = geometry.clustersFor((layout.blocks.lastKey() + 1L) * Long.BYTES);
      if (wanted <= tableClusters) {
        return layout;
      }
      tableClusters = wanted;
    }
  }

  private void place(long snapshotBytes) throws UnsupportedFeatureException {
    if (snapshotBytes > 0) {
      snapshotTable = take(geometry.clustersFor(snapshotBytes));
    }
    table = take(tableClusters);
    // Taking a cluster for a block may need a block for that cluster, at the same index or behind.
    for (int index = needed.nextSetBit(0); index >= 0; index = needed.nextSetBit(0)) {
      needed.clear(index);
      if (!blocks.containsKey(index)) {
        blocks.put(index, 0L);
        blocks.put(index, take(1));
      }
    }
  }

  private long take(long count) throws UnsupportedFeatureException {
    long start = cursor;
    for (Map.Entry<Long, Long> hit = hit(start, count); hit != null; hit = hit(start, count)) {
      start = geometry.clustersFor(hit.getValue());
    }
    cursor = start + count;
    long last = (cursor - 1) >>> geometry.refcountBlockBits();
    if (last >= MAX_BLOCKS) {
      throw new UnsupportedFeatureException(
          "the image would use clusters up to %d, further than a refcount table can describe"
              .formatted(cursor));
    }
    for (long i = start >>> geometry.refcountBlockBits(); i <= last; i++) {
      if (!blocks.containsKey((int) i)) {
        needed.set((int) i);
      }
    }
    Map.Entry<Long, Long> before = taken.lastEntry();
    if (before != null && before.getValue() == start) {
      taken.put(before.getKey(), cursor);
    } else {
      taken.put(start, cursor);
    }
    return start << geometry.clusterBits();
  }

  private Map.@Nullable Entry<Long, Long> hit(long start, long count) {
    Map.Entry<Long, Long> below = forbidden.lowerEntry((start + count) << geometry.clusterBits());
    return below != null && below.getValue() > start << geometry.clusterBits() ? below : null;
  }

  /** Where each block is, by its index in the refcount table. */
  NavigableMap<Integer, Long> blocks() {
    return blocks;
  }

  /** The clusters that the layout takes: first to the one behind the last, disjoint. */
  NavigableMap<Long, Long> taken() {
    return taken;
  }

  /** Where the refcount table is. */
  long table() {
    return table;
  }

  long tableClusters() {
    return tableClusters;
  }

  /** Where the snapshot table is; 0 for none. */
  long snapshotTable() {
    return snapshotTable;
  }
}
