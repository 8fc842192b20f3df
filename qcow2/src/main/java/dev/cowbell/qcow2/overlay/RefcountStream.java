package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.util.Arrays;

/**
 * The refcounts of a file that only grows, in 16 bits each: counted as it grows, in ascending
 * order, and written a block at a time.
 *
 * <p>A frame has at least 15 bytes, and those of clusters above 128 KiB have 4 more for each 128
 * KiB, so no host cluster is touched by more than 30,000 frames: the maximum of 65535 is out of
 * reach.
 */
final class RefcountStream {
  private static final int MAX = 0xffff;
  private static final int REFCOUNT_BYTES = 2;
  private static final int TABLE_ENTRY_BYTES = 8;

  /**
   * What ends a file.
   *
   * @param blocks the refcount blocks still to be written
   * @param tableClusters the clusters of the refcount table
   */
  record Ending(long blocks, long tableClusters) {
    long clusters() {
      return blocks + tableClusters;
    }
  }

  private final Geometry geometry;
  private final ClusterStack full;
  private final short[] block;

  /** The host offsets of the blocks written so far. */
  private long[] offsets = new long[16];

  private int written;
  private long cluster;
  private int count;

  /** Starts with the head's cluster counted. */
  RefcountStream(Geometry geometry) {
    this.geometry = geometry;
    this.full = new ClusterStack(geometry, Seal.Kind.REFCOUNT_BLOCKS);
    this.block = new short[geometry.refcountBlockEntries()];
    this.count = 1;
  }

  /** Counts the clusters that a frame touches. */
  void frame(long offset, int length) {
    long last = (offset + length - 1) >>> geometry.clusterBits();
    for (long at = offset >>> geometry.clusterBits(); at <= last; at++) {
      count(at);
    }
  }

  /** Counts clusters that are referenced once. */
  void metadata(long firstCluster, long clusters) {
    for (long i = 0; i < clusters; i++) {
      count(firstCluster + i);
    }
  }

  private void count(long at) {
    if (at == cluster) {
      count++;
      return;
    }
    if (at != cluster + 1) {
      throw new IllegalStateException("cluster " + at + " comes behind " + cluster);
    }
    settle();
    if ((at & (block.length - 1)) == 0) {
      putAside();
    }
    cluster = at;
    count = 1;
  }

  private void settle() {
    if (count > MAX) {
      throw new IllegalStateException("cluster " + cluster + " has refcount " + count);
    }
    block[(int) cluster & (block.length - 1)] = (short) count;
  }

  private void putAside() {
    int index = full.push();
    for (int i = 0; i < block.length; i++) {
      full.putShort(index, i * REFCOUNT_BYTES, block[i]);
    }
    Arrays.fill(block, (short) 0);
  }

  /** Appends the blocks that are full and not yet written, and returns how many. */
  int writeFull(BodyWriter body) throws IOException {
    int blocks = full.size();
    long offset = body.position();
    if (written + blocks > offsets.length) {
      offsets = Arrays.copyOf(offsets, Math.max(2 * offsets.length, written + blocks));
    }
    for (int i = 0; i < blocks; i++) {
      offsets[written++] = offset + ((long) i << geometry.clusterBits());
    }
    full.writeTo(body);
    return blocks;
  }

  /**
   * Lays out the end of the file: the blocks not yet written, the refcount table, and further
   * clusters.
   *
   * @param firstCluster where it begins
   * @param further the clusters behind the table
   */
  Ending ending(long firstCluster, long further) {
    Ending ending = new Ending(0, 1);
    while (true) {
      long end = firstCluster + ending.clusters() + further;
      long blocks = (end + block.length - 1) / block.length;
      Ending next = new Ending(blocks - written, geometry.clustersFor(blocks * TABLE_ENTRY_BYTES));
      if (next.equals(ending)) {
        return ending;
      }
      ending = next;
    }
  }

  /** Appends the rest of the blocks and the table; the whole file has been counted. */
  void writeEnding(BodyWriter body, Ending ending) throws IOException {
    settle();
    putAside();
    if (writeFull(body) != ending.blocks()) {
      throw new IllegalStateException("the file grew behind its " + ending);
    }
    ClusterStack table = new ClusterStack(geometry, Seal.Kind.REFCOUNT_TABLE);
    for (int i = 0; i < ending.tableClusters(); i++) {
      table.push();
    }
    for (int i = 0; i < written; i++) {
      long at = (long) i * TABLE_ENTRY_BYTES;
      table.putLong(
          (int) (at >>> geometry.clusterBits()), geometry.offsetInCluster(at), offsets[i]);
    }
    table.writeTo(body);
  }
}
