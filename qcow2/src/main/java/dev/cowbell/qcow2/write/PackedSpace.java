package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.ClusterAllocator.Allocation;
import java.io.IOException;

/**
 * Room for compressed clusters, which share host clusters byte to byte: each adds one reference to
 * every host cluster it touches. Under the exclusive lock.
 */
final class PackedSpace {
  private final ClusterAllocator allocator;
  private final Geometry geometry;

  /** Where the next one goes; 0 for a new host cluster. */
  private long next;

  /** When the host cluster that {@link #next} points into was known to be in use. */
  private long knownAt;

  PackedSpace(ClusterAllocator allocator, Geometry geometry) {
    this.allocator = allocator;
    this.geometry = geometry;
  }

  /**
   * Finds room and counts the references.
   *
   * @param length less than a cluster
   * @return the host offset, aligned to nothing
   */
  long take(int length) throws IOException {
    int room = room();
    if (room >= length) {
      allocator.addReferences(next, 1);
      return taken(next, length);
    }
    Allocation fresh = allocator.allocateUpTo(1);
    boolean joins = room > 0 && fresh.offset() == next + room;
    if (joins) {
      allocator.addReferences(next, 1);
    }
    return taken(joins ? next : fresh.offset(), length);
  }

  /** The bytes that are free behind the last compressed cluster in its host cluster. */
  private int room() throws IOException {
    if (next == 0
        || knownAt != allocator.releases()
        || geometry.isClusterAligned(next)
        || allocator.refcount(next) >= geometry.refcountWidth().max()) {
      next = 0;
      return 0;
    }
    return geometry.clusterSize() - geometry.offsetInCluster(next);
  }

  private long taken(long offset, int length) {
    next = offset + length;
    knownAt = allocator.releases();
    return offset;
  }

  /** What was taken last is not used after all. */
  void undo(long offset, int length) throws IOException {
    next = 0;
    allocator.undo(offset, length);
  }
}
