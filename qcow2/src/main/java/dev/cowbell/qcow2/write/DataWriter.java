package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.map.L2Table;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.ClusterAllocator.Allocation;
import dev.cowbell.qcow2.refcount.MetadataGuard;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes guest data: into the clusters that are the image's own, and into new ones otherwise. An
 * entry is changed in memory once its data has been written.
 */
final class DataWriter {
  private final ActiveTables tables;
  private final ClusterAllocator allocator;
  private final MetadataGuard guard;
  private final Damage damage;
  private final ClusterStore store;
  private final CopyOnWrite copyOnWrite;
  private final Geometry geometry;
  private final int subclusterSize;

  /** From here on no backing file shows through. */
  private final long backedBytes;

  DataWriter(
      ActiveTables tables,
      ClusterAllocator allocator,
      Damage damage,
      ClusterStore store,
      CopyOnWrite copyOnWrite,
      long backedBytes) {
    this.tables = tables;
    this.allocator = allocator;
    this.guard = allocator.guard();
    this.damage = damage;
    this.store = store;
    this.copyOnWrite = copyOnWrite;
    this.geometry = tables.rules().geometry();
    this.subclusterSize = geometry.subclusterSize();
    this.backedBytes = backedBytes;
  }

  /**
   * Writes as much of {@code src} as goes into clusters of the image's own that lie together.
   * Changes no metadata, and may run in many threads under the shared lock.
   *
   * @return the bytes written; 0 if the first ones need a new cluster or entry
   */
  int writeInPlace(long at, ByteBuffer src) throws IOException {
    L2Table table = tables.table(at);
    if (table == null || !isWhole(at, src.remaining())) {
      return 0;
    }
    int index = geometry.l2Index(at);
    int within = geometry.offsetInCluster(at);
    int wanted = src.remaining();
    int done = 0;
    long host = 0;
    while (done < wanted && index < geometry.l2Entries()) {
      int step = Math.min(geometry.clusterSize() - within, wanted - done);
      ClusterState state = tables.state(table.word(index), table.bitmap(index), at + done - within);
      if (!state.holds(subclusters(within, within + step))
          || (done > 0 && state.host() + within != host + done)) {
        break;
      }
      host = done == 0 ? state.host() + within : host;
      done += step;
      within = 0;
      index++;
    }
    if (done > 0) {
      put(at, host, src, done);
    }
    return done;
  }

  private boolean isWhole(long at, int length) {
    return ((at | length) & (store.granularity() - 1)) == 0;
  }

  private void put(long at, long host, ByteBuffer src, int length) throws IOException {
    checkPlace(host, length);
    int limit = src.limit();
    src.limit(src.position() + length);
    store.write(at, host, src);
    src.limit(limit);
  }

  private void checkPlace(long host, long length) throws IOException {
    if (!tables.rules().dataFile()) {
      try {
        guard.checkData(host, length);
      } catch (CorruptImageException e) {
        throw damage.found(e);
      }
    }
  }

  private int subclusters(int from, int to) {
    return ClusterState.mask(from / subclusterSize, (to - 1) / subclusterSize);
  }

  /**
   * Writes the next bytes of {@code src}, as many as one step can take; under the exclusive lock.
   *
   * @return the bytes written, at least 1
   */
  int write(long at, ByteBuffer src) throws IOException {
    int inPlace = writeInPlace(at, src);
    if (inPlace > 0) {
      return inPlace;
    }
    ActiveTables.Writable table = tables.own(at);
    int index = geometry.l2Index(at);
    int within = geometry.offsetInCluster(at);
    ClusterState state = tables.state(table.word(index), table.bitmap(index), at - within);
    if (state.owned()) {
      int length = Math.min(geometry.clusterSize() - within, src.remaining());
      fill(table, index, state, at, slice(src, length));
      return length;
    }
    return writeNew(table, index, at, src);
  }

  private static ByteBuffer slice(ByteBuffer src, int length) {
    ByteBuffer part = src.slice(src.position(), length);
    src.position(src.position() + length);
    return part;
  }

  /** Writes to a cluster of the image's own, some of whose subclusters hold no data yet. */
  private void fill(
      ActiveTables.Writable table, int index, ClusterState state, long at, ByteBuffer src)
      throws IOException {
    int within = geometry.offsetInCluster(at);
    int mask = subclusters(within, within + src.remaining());
    long cluster = at - within;
    int first = within / subclusterSize;
    int last = (within + src.remaining() - 1) / subclusterSize;
    long from = state.isAllocated(first) ? at : cluster + (long) first * subclusterSize;
    long to =
        state.isAllocated(last) ? at + src.remaining() : cluster + (last + 1L) * subclusterSize;
    if (store.granularity() > 1) {
      from = from & -store.granularity();
      to = (to + store.granularity() - 1) & -store.granularity();
    }
    long host = state.host() + (from - cluster);
    checkPlace(host, to - from);
    copyOnWrite.write(from, at, src, to, host);
    if ((state.allocated() & mask) != mask) {
      table.set(index, entry(state.host(), state.allocated() | mask, state.zero() & ~mask));
    }
  }

  private L2Entry entry(long host, int allocated, int zero) {
    return geometry.extendedL2()
        ? L2Entry.extended(host, true, allocated, zero)
        : L2Entry.data(host, true);
  }

  /** Writes to new clusters, as many as the table's next entries need and lie together. */
  private int writeNew(ActiveTables.Writable table, int index, long at, ByteBuffer src)
      throws IOException {
    int within = geometry.offsetInCluster(at);
    long cluster = at - within;
    int count = needed(table, index, cluster, within + src.remaining());
    Allocation place = allocate(cluster, count);
    boolean done = false;
    try {
      int length =
          (int) Math.min(src.remaining(), (place.clusters() << geometry.clusterBits()) - within);
      checkPlace(place.offset(), place.clusters() << geometry.clusterBits());
      writeClusters(table, index, at, slice(src, length), place);
      done = true;
      return length;
    } finally {
      if (!done && !tables.rules().dataFile()) {
        allocator.undo(place.offset(), place.clusters() << geometry.clusterBits());
      }
    }
  }

  private Allocation allocate(long cluster, int count) throws IOException {
    return tables.rules().dataFile()
        ? new Allocation(cluster, count)
        : damage.watch(() -> allocator.allocateUpTo(count));
  }

  /** How many clusters from an index on need a new place, of those that a write touches. */
  private int needed(ActiveTables.Writable table, int index, long cluster, long bytes)
      throws IOException {
    int limit = (int) Math.min(geometry.clustersFor(bytes), geometry.l2Entries() - index);
    int count = 1;
    while (count < limit) {
      long guest = cluster + ((long) count << geometry.clusterBits());
      int next = index + count;
      if (tables.state(table.word(next), table.bitmap(next), guest).owned()) {
        break;
      }
      count++;
    }
    return count;
  }

  private void writeClusters(
      ActiveTables.Writable table, int index, long at, ByteBuffer src, Allocation place)
      throws IOException {
    int size = geometry.clusterSize();
    long cluster = at - geometry.offsetInCluster(at);
    long end = at + src.remaining();
    int lastIndex = index + (int) ((end - 1 - cluster) >>> geometry.clusterBits());
    long lastCluster = cluster + (long) (lastIndex - index) * size;
    ClusterState first = tables.state(table.word(index), table.bitmap(index), cluster);
    ClusterState last = tables.state(table.word(lastIndex), table.bitmap(lastIndex), lastCluster);
    boolean untouched = place.offset() >= store.untouchedFrom();
    long from = start(first, cluster, at, untouched);
    long to = end(last, lastCluster, end, untouched);
    copyOnWrite.write(from, at, src, to, place.offset() + (from - cluster));
    copyKept(first, cluster, from, Math.min(to, cluster + size), place.offset());
    if (lastIndex > index) {
      long lastHost = place.offset() + (lastCluster - cluster);
      copyKept(last, lastCluster, lastCluster, to, lastHost);
    }
    for (int i = index; i <= lastIndex; i++) {
      long guest = cluster + (long) (i - index) * size;
      ClusterState old = tables.state(table.word(i), table.bitmap(i), guest);
      int mask = subclusters((int) Math.max(0, at - guest), (int) Math.min(size, end - guest));
      int allocated = old.compressed() ? subclusters(0, size) : old.allocated() | mask;
      table.set(i, entry(place.offset() + (guest - cluster), allocated, old.zero() & ~mask));
      release(old);
    }
  }

  /** Where old content has to be copied from, in front of a write that starts in a cluster. */
  private long start(ClusterState old, long cluster, long at, boolean untouched) {
    int first = (int) (at - cluster) / subclusterSize;
    long start = old.compressed() ? cluster : cluster + (long) first * subclusterSize;
    return untouched && isKnownZero(old, first, start) ? at : start;
  }

  private long end(ClusterState old, long cluster, long end, boolean untouched) {
    int last = (int) (end - 1 - cluster) / subclusterSize;
    long stop =
        old.compressed()
            ? cluster + geometry.clusterSize()
            : cluster + (last + 1L) * subclusterSize;
    return untouched && isKnownZero(old, last, cluster + (long) last * subclusterSize) ? end : stop;
  }

  private boolean isKnownZero(ClusterState old, int subcluster, long guest) {
    return !old.compressed()
        && !old.isAllocated(subcluster)
        && (old.isZero(subcluster) || guest >= backedBytes);
  }

  /** Copies the allocated subclusters of a shared cluster that a write does not touch. */
  private void copyKept(ClusterState old, long cluster, long from, long to, long host)
      throws IOException {
    for (int i = 0; i < geometry.subclusters(); i++) {
      long start = cluster + (long) i * subclusterSize;
      boolean outside = start + subclusterSize <= from || start >= to;
      if (outside && old.isAllocated(i)) {
        copyOnWrite.copy(start, start + subclusterSize, host + (start - cluster));
      }
    }
  }

  /** Gives up what an entry referred to, once the change is durable. */
  void release(ClusterState old) {
    if (old.compressed()) {
      allocator.freeLater(
          CompressedDescriptor.hostOffset(old.word(), geometry),
          CompressedDescriptor.length(old.word(), geometry));
    } else if (!tables.rules().dataFile() && tables.rules().holdsCluster(old.word())) {
      allocator.freeLater(old.host(), geometry.clusterSize());
    }
  }
}
