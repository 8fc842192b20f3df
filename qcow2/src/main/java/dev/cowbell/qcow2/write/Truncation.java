package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.map.L2Table;
import java.io.IOException;

/** Drops what lies behind a disk's new end. Under the exclusive lock. */
final class Truncation {
  private final ActiveTables tables;
  private final DataWriter data;
  private final Geometry geometry;

  Truncation(ActiveTables tables, DataWriter data) {
    this.tables = tables;
    this.data = data;
    this.geometry = tables.rules().geometry();
  }

  /**
   * Drops the entries of one L2 table, and the table itself where nothing else is left in it.
   *
   * @param at a guest offset at a cluster
   * @return where the rest of the range starts
   */
  long drop(long at, long end) throws IOException {
    long start = tables.nextTable(at, end);
    L2Table table = start < end ? tables.table(start) : null;
    if (table == null) {
      return start < end ? nextCoverage(start, end) : end;
    }
    int first = geometry.l2Index(start);
    long cluster = start;
    for (int i = first; i < geometry.l2Entries(); i++) {
      data.release(tables.state(table.word(i), table.bitmap(i), cluster));
      cluster += geometry.clusterSize();
    }
    if (first == 0) {
      tables.drop(start);
    } else {
      clear(table, start, first);
    }
    return nextCoverage(start, end);
  }

  private void clear(L2Table table, long at, int first) throws IOException {
    ActiveTables.Writable kept = null;
    for (int i = first; i < geometry.l2Entries(); i++) {
      if (table.word(i) != 0 || table.bitmap(i) != 0) {
        kept = kept == null ? tables.own(at) : kept;
        kept.set(i, L2Entry.UNALLOCATED);
      }
    }
  }

  private long nextCoverage(long at, long end) {
    return Math.min(end, (at / geometry.l2Coverage() + 1) * geometry.l2Coverage());
  }
}
