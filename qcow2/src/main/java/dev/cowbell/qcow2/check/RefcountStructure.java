package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;

/** The refcounts that the image keeps: its refcount table and blocks. */
final class RefcountStructure {
  private static final long OFFSET = 0xffff_ffff_ffff_fe00L;

  private final ImageReader reader;
  private final Geometry geometry;
  private final References references;
  private final Tally tally;
  private final long clusters;
  private final long[] table;
  private final ByteBuffer block;
  private final BitSet exactlyOne = new BitSet();

  /**
   * Reads the refcount table.
   *
   * @param clusters the clusters of the file
   */
  RefcountStructure(
      ImageReader reader, Header header, References references, Tally tally, long clusters)
      throws IOException {
    this.reader = reader;
    this.geometry = header.geometry();
    this.references = references;
    this.tally = tally;
    this.clusters = clusters;
    this.block = ByteBuffer.allocate(geometry.clusterSize());
    int length = (int) header.refcountTableClusters() << geometry.clusterBits();
    table = new long[length / Long.BYTES];
    reader.read(header.refcountTableOffset(), length).asLongBuffer().get(table);
  }

  /** Loads what {@link #isOne} needs about the window that is being counted. */
  void enterWindow() throws IOException {
    exactlyOne.clear();
    long first = references.counts().first();
    long end = Math.min(first + ReferenceCounts.WINDOW, clusters);
    for (long start = first; start < end; start += perBlock()) {
      if (load(start)) {
        int n = (int) Math.min(perBlock(), end - start);
        for (int i = 0; i < n; i++) {
          if (geometry.refcountWidth().get(block, i) == 1) {
            exactlyOne.set((int) (start - first) + i);
          }
        }
      }
    }
  }

  /** Whether the refcount of a cluster of the window is exactly one. */
  boolean isOne(long cluster) {
    return exactlyOne.get((int) (cluster - references.counts().first()));
  }

  /** Whether the image says where the refcount of a cluster of the file is. */
  boolean isKnown(long cluster) {
    long index = cluster / perBlock();
    if (index >= table.length) {
      return true;
    }
    long offset = table[(int) index] & OFFSET;
    return geometry.isClusterAligned(offset)
        && offset >= 0
        && offset <= References.END_OF_ALL_FILES - geometry.clusterSize();
  }

  /** Counts the references to refcount blocks in the window; they come last of all. */
  void countBlocks() throws IOException {
    for (int i = 0; i < table.length; i++) {
      long offset = table[i] & OFFSET;
      long cluster = offset >>> geometry.clusterBits();
      String problem = tally.isFirstPass() ? null : "";
      if ((table[i] & ~OFFSET) != 0) {
        if (problem == null) {
          tally.found(new Finding.MisplacedRefcountBlock(i, table[i], "has reserved bits set"));
        }
      } else if (!geometry.isClusterAligned(offset)) {
        if (problem == null) {
          tally.found(new Finding.MisplacedRefcountBlock(i, table[i], "is not cluster-aligned"));
        }
      } else if (Long.compareUnsigned(cluster, clusters) >= 0) {
        if (problem == null) {
          tally.found(
              new Finding.MisplacedRefcountBlock(
                  i,
                  table[i],
                  "lies outside the file of %d bytes".formatted(references.fileSize())));
        }
      } else if (offset != 0 && references.counts().contains(cluster)) {
        // Asked before, since counts stop at the greatest refcount, which may be one.
        long others = references.counts().get(cluster);
        references.add(offset, geometry.clusterSize(), 1);
        if (others != 0) {
          tally.found(new Finding.SharedRefcountBlock(i, offset, others + 1));
        }
      }
    }
  }

  /** Compares all refcounts of the window with the references that were counted. */
  void compare() throws IOException {
    ReferenceCounts counts = references.counts();
    long end = Math.min(counts.first() + ReferenceCounts.WINDOW, comparedClusters());
    for (long start = counts.first(); start < end; start += perBlock()) {
      long stop = Math.min(start + perBlock(), end);
      if (!isKnown(start)) {
        long offset = table[(int) (start / perBlock())] & OFFSET;
        tally.found(new Finding.UnreadableRefcounts(start, stop - start, offset));
      } else if (load(start)) {
        for (long cluster = start; cluster < stop; cluster++) {
          int index = (int) (cluster - start);
          long refcount = geometry.refcountWidth().get(block, index);
          compare(cluster, refcount, counts.get(cluster), blockOf(start));
        }
      } else {
        for (long cluster = counts.next(start);
            cluster < stop;
            cluster = counts.next(cluster + 1)) {
          compare(cluster, 0, counts.get(cluster), 0);
        }
      }
      tally.between();
    }
  }

  /** A short run may end in the cluster behind the file's last one, and then that one counts. */
  private long comparedClusters() {
    ReferenceCounts counts = references.counts();
    return counts.contains(clusters) && counts.get(clusters) > 0 ? clusters + 1 : clusters;
  }

  private void compare(long cluster, long refcount, long counted, long at) throws IOException {
    if (refcount != 0 || counted != 0) {
      tally.used(cluster);
    }
    if (refcount != counted) {
      tally.found(new Finding.WrongRefcount(cluster, refcount, counted, at));
    }
  }

  /** Reads the block with a cluster's refcount, unless there is none. */
  private boolean load(long cluster) throws IOException {
    long offset = blockOf(cluster);
    if (offset <= 0 || !geometry.isClusterAligned(offset) || offset >= references.fileSize()) {
      return false;
    }
    reader.read(offset, block.clear());
    return true;
  }

  private long blockOf(long cluster) {
    long index = cluster / perBlock();
    return index < table.length ? table[(int) index] & OFFSET : 0;
  }

  private int perBlock() {
    return geometry.refcountBlockEntries();
  }
}
