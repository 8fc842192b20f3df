package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Allocates the clusters of a new image from front to back and keeps their refcounts. Refcount
 * blocks are written as soon as allocation has passed them, so memory does not grow with the image.
 */
final class SequentialRefcounts {
  private static final int MAX_TABLE_ENTRIES = Geometry.MAX_REFCOUNT_TABLE_BYTES / Long.BYTES;

  private final HostFile file;
  private final Geometry geometry;
  private final long max;

  /** The host offsets of the blocks that were written. */
  private final List<Long> table = new ArrayList<>();

  /** The blocks that follow them. */
  private final Deque<ByteBuffer> open = new ArrayDeque<>();

  private long next;

  SequentialRefcounts(HostFile file, Geometry geometry) {
    this.file = file;
    this.geometry = geometry;
    this.max = geometry.refcountWidth().max();
  }

  /** The number of clusters allocated so far. */
  long allocated() {
    return next;
  }

  /**
   * Allocates clusters behind each other, each with one reference, and returns the first offset.
   */
  long allocate(long clusters) throws IOException {
    long first = next;
    next += clusters;
    for (long cluster = first; cluster < next; cluster++) {
      set(cluster, 1);
    }
    return first << geometry.clusterBits();
  }

  /**
   * Counts one more reference to a cluster that {@link #allocate} returned lately.
   *
   * @return false if its refcount can't grow any more; it is then unchanged
   */
  boolean addReference(long cluster) throws IOException {
    ByteBuffer block = block(cluster);
    int index = indexInBlock(cluster);
    long count = geometry.refcountWidth().get(block, index);
    if (count == max) {
      return false;
    }
    geometry.refcountWidth().set(block, index, count + 1);
    return true;
  }

  /**
   * Writes the blocks whose clusters all lie before {@code firstOpen}; nothing may refer to those
   * clusters any more.
   */
  void writeFinished(long firstOpen) throws IOException {
    while ((table.size() + 1L) * geometry.refcountBlockEntries() <= firstOpen) {
      writeNext(allocate(1));
    }
  }

  /** Where the refcount table is, and how many clusters it has. */
  record Table(long offset, long clusters) {}

  /** Writes the remaining blocks and the table; nothing can be allocated afterwards. */
  Table finish() throws IOException {
    // The table and the blocks have refcounts as well, which may take more blocks.
    long blocks = 0;
    long tableClusters = 0;
    while (true) {
      long total = next + tableClusters + (blocks - table.size());
      long neededBlocks = -Math.floorDiv(-total, geometry.refcountBlockEntries());
      long neededTable = geometry.clustersFor(neededBlocks * Long.BYTES);
      if (neededBlocks == blocks && neededTable == tableClusters) {
        break;
      }
      blocks = Math.max(blocks, neededBlocks);
      tableClusters = Math.max(tableClusters, neededTable);
    }
    long tableOffset = allocate(tableClusters);
    long offset = allocate(blocks - table.size());
    while (table.size() < blocks) {
      writeNext(offset);
      offset += geometry.clusterSize();
    }
    ByteBuffer bytes = ByteBuffer.allocate((int) (tableClusters << geometry.clusterBits()));
    for (long block : table) {
      bytes.putLong(block);
    }
    file.write(tableOffset, bytes.clear());
    return new Table(tableOffset, tableClusters);
  }

  private void writeNext(long offset) throws IOException {
    file.write(offset, open.remove().clear());
    table.add(offset);
  }

  private void set(long cluster, long count) throws IOException {
    geometry.refcountWidth().set(block(cluster), indexInBlock(cluster), count);
  }

  private ByteBuffer block(long cluster) throws IOException {
    long index = cluster / geometry.refcountBlockEntries();
    if (index >= MAX_TABLE_ENTRIES) {
      throw new IOException(
          "%s: the image would need more than %d refcount blocks; use larger clusters"
              .formatted(file.name(), MAX_TABLE_ENTRIES));
    }
    if (index < table.size()) {
      throw new IllegalStateException("the refcount of cluster " + cluster + " is written already");
    }
    while (table.size() + open.size() <= index) {
      open.add(ByteBuffer.allocate(geometry.clusterSize()));
    }
    if (index == table.size()) {
      return open.getFirst();
    }
    return index == table.size() + open.size() - 1L
        ? open.getLast()
        : open.stream().skip(index - table.size()).findFirst().orElseThrow();
  }

  private int indexInBlock(long cluster) {
    return (int) (cluster % geometry.refcountBlockEntries());
  }
}
