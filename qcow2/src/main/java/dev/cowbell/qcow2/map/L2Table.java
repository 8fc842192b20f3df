package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.format.Geometry;
import java.nio.ByteBuffer;

/** An L2 table in memory; never changes. */
final class L2Table {
  private final long[] words;
  private final int stride;

  private L2Table(long[] words, int stride) {
    this.words = words;
    this.stride = stride;
  }

  /** Takes one table out of a buffer, moving its position. */
  static L2Table take(ByteBuffer from, Geometry geometry) {
    long[] words = new long[geometry.clusterSize() / Long.BYTES];
    from.asLongBuffer().get(words);
    from.position(from.position() + geometry.clusterSize());
    return new L2Table(words, geometry.extendedL2() ? 2 : 1);
  }

  long word(int index) {
    return words[index * stride];
  }

  /** The subcluster bitmap; 0 for a standard entry. */
  long bitmap(int index) {
    return stride == 1 ? 0 : words[index * 2 + 1];
  }

  int bytes() {
    return words.length * Long.BYTES;
  }
}
