package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The refcounts of a file whose clusters are counted in any order. Takes 2 bytes for each cluster
 * that is counted: 32 MiB for 1 TiB in clusters of 64 KiB.
 *
 * <p>Frames have at least 15 bytes and are said to reach at most a cluster too far, so no count
 * gets near the maximum of 65535.
 */
final class RefcountMap {
  private static final int MAX = 0xffff;
  private static final int REFCOUNT_BYTES = 2;
  private static final int TABLE_ENTRY_BYTES = 8;

  private final Geometry geometry;
  private short[] @Nullable [] blocks = new short[16][];

  /** Starts with the head's cluster counted. */
  RefcountMap(Geometry geometry) {
    this.geometry = geometry;
    count(0);
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

  private void count(long cluster) {
    int number = Math.toIntExact(cluster / geometry.refcountBlockEntries());
    if (number >= blocks.length) {
      blocks = Arrays.copyOf(blocks, Math.max(number + 1, 2 * blocks.length));
    }
    short[] block = blocks[number];
    if (block == null) {
      block = new short[geometry.refcountBlockEntries()];
      blocks[number] = block;
    }
    int index = (int) (cluster % geometry.refcountBlockEntries());
    if ((block[index] & MAX) == MAX) {
      throw new IllegalStateException("cluster " + cluster + " has too many references");
    }
    block[index]++;
  }

  /**
   * Lays out the end of the file: all refcount blocks, the refcount table, and further clusters.
   *
   * @param firstCluster where it begins
   * @param further the clusters behind the table
   */
  RefcountStream.Ending ending(long firstCluster, long further) {
    RefcountStream.Ending ending = new RefcountStream.Ending(0, 1);
    while (true) {
      long end = firstCluster + ending.clusters() + further;
      long needed = (end + geometry.refcountBlockEntries() - 1) / geometry.refcountBlockEntries();
      RefcountStream.Ending next =
          new RefcountStream.Ending(needed, geometry.clustersFor(needed * TABLE_ENTRY_BYTES));
      if (next.equals(ending)) {
        return ending;
      }
      ending = next;
    }
  }

  /** Appends the blocks and the table; the whole file has been counted. */
  void write(BodyWriter body, RefcountStream.Ending ending) throws IOException {
    long start = body.position();
    int perTurn = Math.max(1, Seal.maxLength(geometry.clusterSize()) / geometry.clusterSize());
    for (int done = 0; done < ending.blocks(); done += perTurn) {
      ClusterStack stack = new ClusterStack(geometry, Seal.Kind.REFCOUNT_BLOCKS);
      for (int i = done; i < Math.min(done + perTurn, ending.blocks()); i++) {
        put(stack, stack.push(), i < blocks.length ? blocks[i] : null);
      }
      stack.writeTo(body);
    }
    ClusterStack table = new ClusterStack(geometry, Seal.Kind.REFCOUNT_TABLE);
    for (int i = 0; i < ending.tableClusters(); i++) {
      table.push();
    }
    for (int i = 0; i < ending.blocks(); i++) {
      long at = (long) i * TABLE_ENTRY_BYTES;
      table.putLong(
          (int) (at >>> geometry.clusterBits()),
          geometry.offsetInCluster(at),
          start + ((long) i << geometry.clusterBits()));
    }
    table.writeTo(body);
  }

  private static void put(ClusterStack stack, int cluster, short @Nullable [] block) {
    for (int i = 0; block != null && i < block.length; i++) {
      stack.putShort(cluster, i * REFCOUNT_BYTES, block[i]);
    }
  }
}
