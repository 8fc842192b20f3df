package dev.cowbell.qcow2.map;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.L2Rules;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Finds by the tables alone, without reading data, what may differ between two states of one image,
 * or what one layer holds by itself. Cost follows what differs: an L2 table that both states share
 * is not even read.
 */
public final class ChangedExtents {
  private final ClusterMap before;
  private final ClusterMap after;
  private final Geometry geometry;
  private final L2Rules rules;
  private final boolean backed;
  private final ExtentSet.Builder found = ExtentSet.builder();

  private ChangedExtents(ClusterMap before, ClusterMap after, boolean backed) {
    this.before = before;
    this.after = after;
    this.geometry = before.geometry();
    this.rules = before.rules();
    this.backed = backed;
  }

  /**
   * The guest bytes that may read differently in two states of one image: every byte that does, in
   * whole clusters, and everything from the smaller size on.
   *
   * <p>A cluster that two states share is never written in place, so equal entries mean equal
   * bytes. An external data file knows no sharing and can't be compared like this.
   *
   * @param beforeSize the disk's size in the one state, in bytes
   * @param afterSize the disk's size in the other state, in bytes
   * @param backed whether the image has a backing file; without one, what no table mentions and
   *     what is zero are the same
   * @throws UnsupportedFeatureException if the image has an external data file
   */
  public static ExtentSet between(
      ClusterMap before, long beforeSize, ClusterMap after, long afterSize, boolean backed)
      throws IOException {
    if (!before.rules().equals(after.rules())) {
      throw new IllegalArgumentException("the states are not of one image");
    }
    if (before.rules().dataFile()) {
      throw new UnsupportedFeatureException(
          "states of an image with an external data file can't be compared by their tables");
    }
    long common = Math.min(beforeSize, afterSize);
    long size = Math.max(beforeSize, afterSize);
    ChangedExtents changes = new ChangedExtents(before, after, backed);
    changes.compareTables(common);
    changes.found.add(common, size - common);
    return changes.found.build().clip(0, size);
  }

  /**
   * The guest bytes that a layer decides by itself, be it as data or as zeroes; through the others
   * its backing file shows.
   *
   * @param size the disk's size in bytes
   */
  public static ExtentSet allocated(ClusterMap layer, long size) throws IOException {
    ExtentSet.Builder found = ExtentSet.builder();
    MapCursor cursor = layer.cursor(0, size);
    while (cursor.next()) {
      if (cursor.kind() != MapCursor.Kind.UNALLOCATED) {
        found.add(cursor.offset(), cursor.length());
      }
    }
    return found.build();
  }

  private void compareTables(long size) throws IOException {
    long limit = geometry.l1EntriesFor(size);
    L1Table a = before.l1();
    L1Table b = after.l1();
    for (long i = L1Table.nextUsed(a, b, 0, limit);
        i < limit;
        i = L1Table.nextUsed(a, b, i + 1, limit)) {
      if (L1Entry.offset(a.word(i)) != L1Entry.offset(b.word(i))) {
        int entries =
            (int)
                Math.min(
                    geometry.l2Entries(), geometry.clustersFor(size - i * geometry.l2Coverage()));
        compareTable(i, entries, before.table(i), after.table(i));
      }
    }
  }

  private void compareTable(long l1Index, int entries, @Nullable L2Table a, @Nullable L2Table b) {
    long start = l1Index * geometry.l2Coverage();
    int at = 0;
    while (at < entries) {
      int from = at;
      while (at < entries && differs(start, at, a, b)) {
        at++;
      }
      if (at > from) {
        int bits = geometry.clusterBits();
        found.add(start + ((long) from << bits), (long) (at - from) << bits);
      }
      at++;
    }
  }

  private boolean differs(long start, int index, @Nullable L2Table a, @Nullable L2Table b) {
    long wordA = a == null ? 0 : L2Entry.withoutCopied(a.word(index));
    long wordB = b == null ? 0 : L2Entry.withoutCopied(b.word(index));
    long bitmapA = a == null ? 0 : a.bitmap(index);
    long bitmapB = b == null ? 0 : b.bitmap(index);
    if (wordA == wordB && bitmapA == bitmapB) {
      return false;
    }
    long cluster = start + ((long) index << geometry.clusterBits());
    boolean readable =
        rules.allows(wordA, bitmapA, cluster) && rules.allows(wordB, bitmapB, cluster);
    return !readable || !sameZeroes(wordA, bitmapA, wordB, bitmapB);
  }

  /**
   * Whether neither entry holds data and both show zeroes, or the backing file, at the same places.
   */
  private boolean sameZeroes(long wordA, long bitmapA, long wordB, long bitmapB) {
    if (L2Entry.isCompressed(wordA) || L2Entry.isCompressed(wordB)) {
      return false;
    }
    if (geometry.extendedL2()) {
      boolean noData =
          L2Entry.allocatedSubclusters(bitmapA) == 0 && L2Entry.allocatedSubclusters(bitmapB) == 0;
      return noData && (!backed || bitmapA == bitmapB);
    }
    boolean zeroA = L2Entry.isZero(wordA);
    boolean zeroB = L2Entry.isZero(wordB);
    boolean noData = (zeroA || !rules.holdsCluster(wordA)) && (zeroB || !rules.holdsCluster(wordB));
    return noData && (!backed || zeroA == zeroB);
  }
}
