package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Allocates the clusters of a new image from front to back and keeps their refcounts. Refcount
 * blocks are written as soon as allocation has passed them, so memory does not grow with the image.
 */
final class SequentialRefcounts {
  /** Finished blocks are written so many bytes at a time, next to each other. */
  private static final int BATCH = 64 << 10;

  private static final int MAX_TABLE_ENTRIES = Geometry.MAX_REFCOUNT_TABLE_BYTES / Long.BYTES;

  private final HostFile file;
  private final Geometry geometry;
  private final long max;

  /** The host offsets of the blocks that were written. */
  private final List<Long> table = new ArrayList<>();

  /** The blocks that follow them. */
  private final List<ByteBuffer> open = new ArrayList<>();

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
    setOne(first, next);
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
   * Writes the blocks whose clusters all lie before {@code firstOpen}, once there are enough of
   * them; nothing may refer to those clusters any more.
   */
  void writeFinished(long firstOpen) throws IOException {
    long finished = firstOpen / geometry.refcountBlockEntries() - table.size();
    if (finished > 0 && finished << geometry.clusterBits() >= BATCH) {
      write((int) finished, allocate(finished));
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
      int most = Math.max(1, BATCH >> geometry.clusterBits());
      int count = (int) Math.min(most, blocks - table.size());
      write(count, offset);
      offset += (long) count << geometry.clusterBits();
    }
    ByteBuffer bytes = ByteBuffer.allocate((int) (tableClusters << geometry.clusterBits()));
    for (long block : table) {
      bytes.putLong(block);
    }
    file.write(tableOffset, bytes.clear());
    return new Table(tableOffset, tableClusters);
  }

  /** Writes the next blocks behind each other. */
  private void write(int count, long offset) throws IOException {
    List<ByteBuffer> written = open.subList(0, count);
    ByteBuffer bytes = written.getFirst();
    if (count > 1) {
      bytes = ByteBuffer.allocate(count << geometry.clusterBits());
      for (ByteBuffer block : written) {
        bytes.put(block.clear());
      }
    }
    file.write(offset, bytes.clear());
    for (int i = 0; i < count; i++) {
      table.add(offset + ((long) i << geometry.clusterBits()));
    }
    written.clear();
  }

  private void setOne(long first, long end) throws IOException {
    for (long cluster = first; cluster < end; ) {
      ByteBuffer block = block(cluster);
      int from = indexInBlock(cluster);
      int to = (int) Math.min(geometry.refcountBlockEntries(), from + (end - cluster));
      for (int i = from; i < to; i++) {
        geometry.refcountWidth().set(block, i, 1);
      }
      cluster += to - from;
    }
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
    return open.get((int) (index - table.size()));
  }

  private int indexInBlock(long cluster) {
    return (int) (cluster % geometry.refcountBlockEntries());
  }
}
