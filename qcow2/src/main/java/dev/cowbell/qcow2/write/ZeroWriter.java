package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.map.L2Table;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Makes ranges read as zeroes without writing data where the format allows, with the meanings that
 * QEMU gives to zeroing and to discarding. Under the exclusive lock.
 */
final class ZeroWriter {
  private static final ByteBuffer ZEROES = ByteBuffer.allocateDirect(1 << 20).asReadOnlyBuffer();

  private final ActiveTables tables;
  private final ClusterAllocator allocator;
  private final Damage damage;
  private final DataWriter data;
  private final ClusterStore store;
  private final Geometry geometry;
  private final boolean version3;
  private final long diskSize;
  private final boolean backed;

  /**
   * @param backed whether there is a backing file, however short
   */
  ZeroWriter(
      ActiveTables tables,
      ClusterAllocator allocator,
      Damage damage,
      DataWriter data,
      ClusterStore store,
      long diskSize,
      boolean backed) {
    this.tables = tables;
    this.allocator = allocator;
    this.damage = damage;
    this.data = data;
    this.store = store;
    this.geometry = tables.rules().geometry();
    this.version3 = tables.rules().version() >= 3;
    this.diskSize = diskSize;
    this.backed = backed;
  }

  /**
   * Makes the next bytes of a range zero, as many as one step can take.
   *
   * @return where the rest of the range starts
   */
  long zero(long at, long end, ZeroSpace space) throws IOException {
    long next = stepEnd(at, end);
    if (isWhole(at, next)) {
      return version3 ? zeroClusters(at, next, space) : zeroData(at, next);
    }
    L2Table table = tables.table(at);
    int index = geometry.l2Index(at);
    long word = table == null ? 0 : table.word(index);
    long bitmap = table == null ? 0 : table.bitmap(index);
    ClusterState state = tables.state(word, bitmap, at - geometry.offsetInCluster(at));
    if (space == ZeroSpace.MAY_FREE && readsAsZeroes(state)) {
      return next;
    }
    return geometry.extendedL2() && !state.compressed()
        ? zeroSubclusters(at, next, state)
        : zeroData(at, next);
  }

  /**
   * Makes the next bytes of a range inside one cluster zero by writing zeroes, which may lie behind
   * the disk's end.
   *
   * @return where the rest of the range starts
   */
  long zeroInCluster(long at, long end) throws IOException {
    L2Table table = tables.table(at);
    int index = geometry.l2Index(at);
    long word = table == null ? 0 : table.word(index);
    long bitmap = table == null ? 0 : table.bitmap(index);
    ClusterState state = tables.state(word, bitmap, at - geometry.offsetInCluster(at));
    return readsAsZeroes(state) || !(state.compressed() || tables.rules().holdsCluster(word))
        ? end
        : zeroData(at, end);
  }

  /** The whole clusters of one L2 table, or what lies inside a single cluster. */
  private long stepEnd(long at, long end) {
    int within = geometry.offsetInCluster(at);
    long clusterEnd = Math.min(at - within + geometry.clusterSize(), end);
    if (!isWhole(at, clusterEnd)) {
      return clusterEnd;
    }
    long tableEnd = (at / geometry.l2Coverage() + 1) * geometry.l2Coverage();
    if (tableEnd <= end || end == diskSize) {
      return Math.min(tableEnd, end);
    }
    return end - geometry.offsetInCluster(end);
  }

  private boolean isWhole(long at, long end) {
    return geometry.isClusterAligned(at)
        && end > at
        && (geometry.isClusterAligned(end) || end == diskSize);
  }

  private boolean readsAsZeroes(ClusterState state) {
    int all = ClusterState.mask(0, geometry.subclusters() - 1);
    return !state.compressed()
        && (state.allocated() & all) == 0
        && (!backed || (state.zero() & all) == all);
  }

  private long zeroData(long at, long end) throws IOException {
    if (!backed && tables.table(at) == null) {
      return end;
    }
    ByteBuffer zeroes = ZEROES.duplicate();
    zeroes.limit((int) Math.min(zeroes.capacity(), end - at));
    return at + data.write(at, zeroes);
  }

  private long zeroClusters(long at, long end, ZeroSpace space) throws IOException {
    return change(
        at,
        end,
        state -> {
          if (space == ZeroSpace.MAY_FREE) {
            return plainZero();
          }
          return state.owned() ? keptZero(state.host()) : null;
        },
        space == ZeroSpace.KEEP);
  }

  private L2Entry plainZero() {
    return geometry.extendedL2() ? L2Entry.EXTENDED_ZERO_PLAIN : L2Entry.ZERO_PLAIN;
  }

  private L2Entry keptZero(long host) {
    return geometry.extendedL2()
        ? L2Entry.extended(host, true, 0, -1)
        : L2Entry.zeroAllocated(host, true);
  }

  /**
   * Zeroes what lies inside one cluster: whole subclusters by their bits, the rest as data, which
   * comes first.
   */
  private long zeroSubclusters(long at, long end, ClusterState state) throws IOException {
    int size = geometry.subclusterSize();
    long cluster = at - geometry.offsetInCluster(at);
    int first = (int) ((at - cluster + size - 1) / size);
    int behind = (int) ((end - cluster) / size);
    if (end == diskSize) {
      behind = (int) ((end - cluster + size - 1) / size);
    }
    if (behind <= first) {
      return zeroData(at, end);
    }
    long from = cluster + (long) first * size;
    if (at < from) {
      return zeroData(at, from);
    }
    int mask = ClusterState.mask(first, behind - 1);
    if ((state.zero() & mask) != mask) {
      int allocated = state.allocated() & ~mask;
      int zero = state.zero() | mask;
      store.zeroed(from, Math.max(0, Math.min(diskSize, cluster + (long) behind * size) - from));
      boolean present = tables.rules().holdsCluster(state.word());
      long host = present ? state.host() : 0;
      tables
          .own(at)
          .set(geometry.l2Index(at), L2Entry.extended(host, state.owned(), allocated, zero));
    }
    return Math.min(end, cluster + (long) behind * size);
  }

  /**
   * Discards the whole clusters of a range, as many as one step can take.
   *
   * @return where the rest of the range starts
   */
  long discard(long at, long end) throws IOException {
    long start = at + (-at & (geometry.clusterSize() - 1));
    long stop = end == diskSize ? end : end - geometry.offsetInCluster(end);
    if (start >= stop || (!version3 && backed)) {
      return end;
    }
    if (!backed) {
      start = tables.nextTable(start, stop);
      if (start >= stop) {
        return end;
      }
    }
    return change(start, stepEnd(start, stop), this::discarded, false);
  }

  private @Nullable L2Entry discarded(ClusterState state) {
    boolean present = state.compressed() || tables.rules().holdsCluster(state.word());
    if (!backed && !present) {
      return null;
    }
    return version3 ? plainZero() : L2Entry.UNALLOCATED;
  }

  /** What an entry becomes; null for what it is. */
  @FunctionalInterface
  private interface NewEntry {
    @Nullable L2Entry of(ClusterState state);
  }

  /**
   * Changes the entries of whole clusters of one L2 table, which is touched only if one differs.
   */
  private long change(long at, long end, NewEntry newEntry, boolean allocates) throws IOException {
    L2Table seen = tables.table(at);
    store.zeroed(at, end - at);
    ActiveTables.Writable table = null;
    int size = geometry.clusterSize();
    for (long guest = at; guest < end; guest += size) {
      int index = geometry.l2Index(guest);
      long word = seen == null ? 0 : seen.word(index);
      long bitmap = seen == null ? 0 : seen.bitmap(index);
      ClusterState state = tables.state(word, bitmap, guest);
      L2Entry entry = newEntry.of(state);
      if (entry == null && !allocates) {
        continue;
      }
      if (entry != null && entry.word() == word && entry.bitmap() == bitmap) {
        continue;
      }
      table = table == null ? tables.own(at) : table;
      L2Entry replacement = entry == null ? keptZero(newCluster(guest)) : entry;
      table.set(index, replacement);
      if (L2Entry.isCompressed(word)
          || L2Entry.offset(word) != L2Entry.offset(replacement.word())) {
        data.release(state);
      }
    }
    return end;
  }

  private long newCluster(long guest) throws IOException {
    return tables.rules().dataFile() ? guest : damage.watch(() -> allocator.allocate(1));
  }
}
