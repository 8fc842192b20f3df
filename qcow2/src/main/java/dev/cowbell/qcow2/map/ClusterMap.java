package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Rules;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * One L1 table and the L2 tables below it: says where guest bytes lie, and reads no data
 * (specification: "Cluster mapping"). The L1 table is read on opening, L2 tables as needed and
 * through a bounded cache. May be used by several threads, each with a cursor of its own.
 */
public final class ClusterMap {
  /** L2 tables that follow each other in the file are read together, up to so many bytes. */
  private static final int L2_BATCH = 256 << 10;

  private final HostFile file;
  private final L2Rules rules;
  private final Geometry geometry;
  private final L1Table l1;
  private final L2Cache cache;
  private final @Nullable TableChanges changes;

  private ClusterMap(
      HostFile file, L2Rules rules, L1Table l1, L2Cache cache, @Nullable TableChanges changes) {
    this.file = file;
    this.rules = rules;
    this.geometry = rules.geometry();
    this.l1 = l1;
    this.cache = cache;
    this.changes = changes;
  }

  /** The map of an image's active state; the header's tables have been checked. */
  public static ClusterMap ofActiveState(HostFile file, Header header, L2Cache cache)
      throws IOException {
    L1Table l1 = L1Table.read(file, header.l1TableOffset(), header.l1Size());
    return new ClusterMap(file, header.l2Rules(), l1, cache, null);
  }

  /** The map of an active state that is being changed: as the changes leave it. */
  public static ClusterMap ofChanges(TableChanges changes) {
    return new ClusterMap(changes.file(), changes.rules(), changes.l1(), changes.cache(), changes);
  }

  /** The map of an internal snapshot, whose L1 table has been checked. */
  public static ClusterMap ofSnapshot(
      HostFile file, Header header, SnapshotEntry snapshot, L2Cache cache) throws IOException {
    L1Table l1 = L1Table.read(file, snapshot.l1TableOffset(), (int) snapshot.l1Size());
    return new ClusterMap(file, header.l2Rules(), l1, cache, null);
  }

  public Geometry geometry() {
    return geometry;
  }

  /** A cursor over {@code [at, at + length)}, before the first run. */
  public MapCursor cursor(long at, long length) {
    return new MapCursor(this, at, at + length);
  }

  /** The name of the image file, for messages. */
  String fileName() {
    return file.name();
  }

  public L2Rules rules() {
    return rules;
  }

  public L1Table l1() {
    return l1;
  }

  /**
   * The L2 table of an L1 entry; null when there is none.
   *
   * @throws CorruptImageException if the entry points to an offset that is not cluster-aligned
   */
  public @Nullable L2Table table(long l1Index) throws IOException {
    long offset = L1Entry.offset(l1.word(l1Index));
    if (offset == 0) {
      return null;
    }
    L2Table changed = changes == null ? null : changes.get(offset);
    if (changed != null) {
      return changed;
    }
    L2Table cached = cache.get(file, offset);
    return cached == null ? load(l1Index, offset) : cached;
  }

  private L2Table load(long l1Index, long offset) throws IOException {
    int size = geometry.clusterSize();
    if (!geometry.isClusterAligned(offset)) {
      throw new CorruptImageException(
              "L1 entry %d: the L2 table's offset %d is not aligned to clusters of %d bytes"
                  .formatted(l1Index, offset, size))
          .in(file.name());
    }
    int count = 1;
    while ((count + 1) * size <= L2_BATCH
        && L1Entry.offset(l1.word(l1Index + count)) == offset + (long) count * size) {
      count++;
    }
    ByteBuffer buffer = ByteBuffer.allocate(count * size);
    file.readPadded(offset, buffer);
    buffer.flip();
    L2Table first = L2Table.take(buffer, geometry);
    for (int i = 1; i < count; i++) {
      cache.put(file, offset + (long) i * size, L2Table.take(buffer, geometry));
    }
    cache.put(file, offset, first);
    return first;
  }
}
