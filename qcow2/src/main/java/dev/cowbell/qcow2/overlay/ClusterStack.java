package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Clusters of metadata that wait to be written, held in blocks that are sealed as they are. The
 * blocks are used again after {@link #writeTo}.
 */
final class ClusterStack {
  private final int clusterBits;
  private final int blockBits;
  private final Seal.Kind kind;
  private final List<ByteBuffer> blocks = new ArrayList<>();
  private int size;

  ClusterStack(Geometry geometry, Seal.Kind kind) {
    this.clusterBits = geometry.clusterBits();
    this.kind = kind;
    this.blockBits =
        Integer.numberOfTrailingZeros(Seal.maxLength(geometry.clusterSize())) - clusterBits;
  }

  /** The clusters on the stack. */
  int size() {
    return size;
  }

  /** Puts a cluster of zeroes on the stack and returns its index. */
  int push() {
    int block = size >>> blockBits;
    if (block == blocks.size()) {
      blocks.add(ByteBuffer.allocateDirect(1 << (clusterBits + blockBits)));
    } else {
      ByteBuffer used = blocks.get(block);
      int at = indexInBlock(size);
      used.put(at, new byte[1 << clusterBits]);
    }
    return size++;
  }

  void putLong(int cluster, int at, long value) {
    blocks.get(cluster >>> blockBits).putLong(indexInBlock(cluster) + at, value);
  }

  void putShort(int cluster, int at, int value) {
    blocks.get(cluster >>> blockBits).putShort(indexInBlock(cluster) + at, (short) value);
  }

  private int indexInBlock(int cluster) {
    return (cluster & ((1 << blockBits) - 1)) << clusterBits;
  }

  /** Appends the clusters in their order, and takes them off. */
  void writeTo(BodyWriter body) throws IOException {
    for (int done = 0; done < size; done += 1 << blockBits) {
      int count = Math.min(size - done, 1 << blockBits);
      body.appendSealed(kind, blocks.get(done >>> blockBits).slice(0, count << clusterBits));
    }
    size = 0;
  }
}
