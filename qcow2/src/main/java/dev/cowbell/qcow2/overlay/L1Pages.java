package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import org.jspecify.annotations.Nullable;

/** An L1 table. Pages without an entry take no memory and, when written, no seal. */
final class L1Pages {
  private static final int PAGE_BITS = 9;
  private static final int PAGE_ENTRIES = 1 << PAGE_BITS;
  private static final int PAGE_BYTES = PAGE_ENTRIES * Geometry.L1_ENTRY_SIZE;

  private final Geometry geometry;
  private final int entries;
  private final long[] @Nullable [] pages;

  L1Pages(Geometry geometry, int entries) {
    this.geometry = geometry;
    this.entries = entries;
    this.pages = new long[(entries + PAGE_ENTRIES - 1) >>> PAGE_BITS][];
  }

  int entries() {
    return entries;
  }

  /** The clusters that the table takes. */
  int clusters() {
    return (int) geometry.clustersFor((long) entries * Geometry.L1_ENTRY_SIZE);
  }

  void set(int index, long word) {
    int number = index >>> PAGE_BITS;
    long[] page = pages[number];
    if (page == null) {
      page = new long[PAGE_ENTRIES];
      pages[number] = page;
    }
    page[index & (PAGE_ENTRIES - 1)] = word;
  }

  long get(int index) {
    long[] page = pages[index >>> PAGE_BITS];
    return page == null ? 0 : page[index & (PAGE_ENTRIES - 1)];
  }

  /** The first index from {@code index} on that has an entry; -1 if there is none. */
  long next(long index) {
    for (long i = index; i < entries; ) {
      long[] page = pages[(int) (i >>> PAGE_BITS)];
      if (page == null) {
        i = (i | (PAGE_ENTRIES - 1)) + 1;
      } else if (page[(int) i & (PAGE_ENTRIES - 1)] != 0) {
        return i;
      } else {
        i++;
      }
    }
    return -1;
  }

  /** Appends the table, in whole clusters. */
  void writeTo(BodyWriter body) throws IOException {
    int blockBytes = Seal.maxLength(geometry.clusterSize());
    int pagesPerBlock = blockBytes / PAGE_BYTES;
    ByteBuffer block = ByteBuffer.allocateDirect(blockBytes);
    long left = (long) clusters() * geometry.clusterSize();
    for (int page = 0; left > 0; page += pagesPerBlock) {
      int length = (int) Math.min(left, blockBytes);
      if (fill(block.clear().limit(length), page)) {
        body.appendSealed(Seal.Kind.L1_TABLE, block);
      } else {
        body.appendZeroes(length);
      }
      left -= length;
    }
  }

  /** Puts pages into a block; false if there are none. */
  private boolean fill(ByteBuffer block, int firstPage) {
    boolean any = false;
    LongBuffer words = block.asLongBuffer();
    for (int i = 0; words.hasRemaining(); i++) {
      int number = firstPage + i;
      long[] page = number < pages.length ? pages[number] : null;
      any |= page != null;
      words.put(page != null ? page : new long[PAGE_ENTRIES]);
    }
    return any;
  }
}
