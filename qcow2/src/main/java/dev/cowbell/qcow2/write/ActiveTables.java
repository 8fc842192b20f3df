package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.L2Rules;
import dev.cowbell.qcow2.map.ClusterMap;
import dev.cowbell.qcow2.map.L2Table;
import dev.cowbell.qcow2.map.TableChanges;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The active state's tables, for whoever changes them: alone, under the exclusive lock. */
final class ActiveTables {
  private final ClusterMap map;
  private final TableChanges changes;
  private final ClusterAllocator allocator;
  private final Damage damage;
  private final Geometry geometry;
  private final L2Rules rules;

  ActiveTables(TableChanges changes, ClusterAllocator allocator, Damage damage) {
    this.map = ClusterMap.ofChanges(changes);
    this.changes = changes;
    this.allocator = allocator;
    this.damage = damage;
    this.geometry = map.geometry();
    this.rules = map.rules();
  }

  L2Rules rules() {
    return rules;
  }

  /** An L2 table that belongs to the active state alone. */
  final class Writable {
    private final long offset;
    private final L2Table table;

    private Writable(long offset, L2Table table) {
      this.offset = offset;
      this.table = table;
    }

    long word(int index) {
      return table.word(index);
    }

    long bitmap(int index) {
      return table.bitmap(index);
    }

    /** Changes an entry in memory. */
    void set(int index, L2Entry entry) {
      changes.changed(offset, table);
      table.set(index, entry.word(), entry.bitmap());
    }
  }

  /** The table for a guest offset, as it is; null when there is none. */
  @Nullable L2Table table(long guestOffset) throws IOException {
    try {
      return map.table(geometry.l1Index(guestOffset));
    } catch (CorruptImageException e) {
      throw damage.found(e);
    }
  }

  /** The first guest offset at or behind a given one whose L1 entry is used, or the limit. */
  long nextTable(long guestOffset, long limit) {
    long index = geometry.l1Index(guestOffset);
    long end = geometry.l1Index(limit - 1) + 1;
    long used = map.l1().nextUsed(index, end);
    return used == index
        ? guestOffset
        : used == end ? limit : Math.min(limit, used * geometry.l2Coverage());
  }

  /**
   * The table for a guest offset, to be changed: a new one where there is none, and a copy of one
   * that a snapshot uses too.
   */
  Writable own(long guestOffset) throws IOException {
    long index = geometry.l1Index(guestOffset);
    long word = map.l1().word(index);
    L2Table present = table(guestOffset);
    if (present != null && TableChanges.isOwned(word)) {
      return new Writable(L1Entry.offset(word), present);
    }
    long offset = damage.watch(() -> allocator.allocate(1));
    L2Table table = present == null ? L2Table.empty(geometry) : present.copy();
    allocator.guard().add(Kind.ACTIVE_L2, offset, geometry.clusterSize());
    changes.changed(offset, table);
    changes.setL1(index, L1Entry.of(offset, true).word());
    if (present != null) {
      allocator.freeLater(Kind.ACTIVE_L2, L1Entry.offset(word), geometry.clusterSize());
    }
    return new Writable(offset, table);
  }

  /** Takes the table for a guest offset out of the L1 table. */
  void drop(long guestOffset) {
    long index = geometry.l1Index(guestOffset);
    long offset = L1Entry.offset(map.l1().word(index));
    changes.setL1(index, 0);
    changes.dropped(offset);
    allocator.freeLater(Kind.ACTIVE_L2, offset, geometry.clusterSize());
  }

  /** What an entry says, which must make sense. */
  ClusterState state(long word, long bitmap, long guestCluster) throws IOException {
    try {
      rules.check(word, bitmap, guestCluster);
    } catch (CorruptImageException e) {
      throw damage.found(e);
    }
    return ClusterState.of(word, bitmap, rules);
  }
}
