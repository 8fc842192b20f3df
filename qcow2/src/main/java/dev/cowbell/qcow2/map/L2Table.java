package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.format.Geometry;
import java.nio.ByteBuffer;

/**
 * An L2 table in memory. Many threads may read it; whoever changes it keeps readers away meanwhile.
 */
public final class L2Table {
  private final long[] words;
  private final int stride;

  private L2Table(long[] words, int stride) {
    this.words = words;
    this.stride = stride;
  }

  /** A table whose every entry is unallocated. */
  public static L2Table empty(Geometry geometry) {
    return new L2Table(new long[geometry.clusterSize() / Long.BYTES], stride(geometry));
  }

  /** Takes one table out of a buffer, moving its position. */
  static L2Table take(ByteBuffer from, Geometry geometry) {
    long[] words = new long[geometry.clusterSize() / Long.BYTES];
    from.asLongBuffer().get(words);
    from.position(from.position() + geometry.clusterSize());
    return new L2Table(words, stride(geometry));
  }

  private static int stride(Geometry geometry) {
    return geometry.extendedL2() ? 2 : 1;
  }

  public L2Table copy() {
    return new L2Table(words.clone(), stride);
  }

  public long word(int index) {
    return words[index * stride];
  }

  /** The subcluster bitmap; 0 for a standard entry. */
  public long bitmap(int index) {
    return stride == 1 ? 0 : words[index * 2 + 1];
  }

  /** Changes an entry; the bitmap counts in a table of extended entries only. */
  public void set(int index, long word, long bitmap) {
    words[index * stride] = word;
    if (stride == 2) {
      words[index * 2 + 1] = bitmap;
    }
  }

  /** Puts the table into a buffer, as it is stored. */
  void put(ByteBuffer to) {
    to.asLongBuffer().put(words);
    to.position(to.position() + bytes());
  }

  int bytes() {
    return words.length * Long.BYTES;
  }
}
