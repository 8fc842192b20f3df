package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Stores clusters that have been compressed. Under the exclusive lock. */
final class CompressedWriter {
  private final HostFile file;
  private final ActiveTables tables;
  private final ClusterAllocator allocator;
  private final Damage damage;
  private final DataWriter data;
  private final Geometry geometry;
  private final PackedSpace space;

  CompressedWriter(
      HostFile file,
      ActiveTables tables,
      ClusterAllocator allocator,
      Damage damage,
      DataWriter data) {
    this.file = file;
    this.tables = tables;
    this.allocator = allocator;
    this.damage = damage;
    this.data = data;
    this.geometry = tables.rules().geometry();
    this.space = new PackedSpace(allocator, geometry);
  }

  /**
   * Stores a cluster's packed form, less than a cluster long.
   *
   * @param at the guest offset of the cluster
   */
  void write(long at, ByteBuffer packed) throws IOException {
    int length = packed.remaining();
    ActiveTables.Writable table = tables.own(at);
    int index = geometry.l2Index(at);
    ClusterState old = tables.state(table.word(index), table.bitmap(index), at);
    long host = damage.watch(() -> space.take(length));
    boolean done = false;
    try {
      allocator.guard().checkData(host, length);
      file.write(host, packed);
      table.set(index, L2Entry.compressed(new CompressedDescriptor(host, length), geometry));
      done = true;
    } catch (CorruptImageException e) {
      throw damage.found(e);
    } finally {
      if (!done) {
        space.undo(host, length);
      }
    }
    data.release(old);
  }

  /** Whether a descriptor can point to wherever a new host cluster may be. */
  boolean isInReach() {
    return allocator.allocatedEnd() + 4L * geometry.clusterSize()
        < CompressedDescriptor.maxHostOffset(geometry);
  }
}
