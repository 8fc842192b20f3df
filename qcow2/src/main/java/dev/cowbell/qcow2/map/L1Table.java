package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * An L1 table in memory, with no space for pages in which no entry points anywhere: memory follows
 * what the file really holds, not the length that a header claims.
 */
public final class L1Table {
  private static final int PAGE_BITS = 10;
  private static final int PAGE = 1 << PAGE_BITS;
  private static final int CHUNK = 1 << 20;

  private final int entries;
  private final long[] @Nullable [] pages;

  private L1Table(int entries) {
    this.entries = entries;
    this.pages = new long[(entries + PAGE - 1) >>> PAGE_BITS][];
  }

  /**
   * Reads a table whose place has been checked; what lies behind the file's end is empty.
   *
   * @param entries at most {@link Geometry#MAX_L1_BYTES} / 8
   */
  static L1Table read(HostFile file, long offset, int entries) throws IOException {
    L1Table table = new L1Table(entries);
    long bytes = (long) entries * Geometry.L1_ENTRY_SIZE;
    long present = Math.clamp(file.size() - offset, 0, bytes);
    // An entry that the file's end cuts off reads on in zeroes.
    long padded = (present + Geometry.L1_ENTRY_SIZE - 1) & -Geometry.L1_ENTRY_SIZE;
    ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK, padded));
    for (long done = 0; done < padded; done += CHUNK) {
      chunk.clear().limit((int) Math.min(CHUNK, padded - done));
      file.readPadded(offset + done, chunk);
      chunk.flip();
      table.put((int) (done / Geometry.L1_ENTRY_SIZE), chunk);
    }
    return table;
  }

  private void put(int first, ByteBuffer chunk) {
    for (int i = 0; i < chunk.limit() / Geometry.L1_ENTRY_SIZE; i++) {
      long word = chunk.getLong(i * Geometry.L1_ENTRY_SIZE);
      if (word != 0) {
        set(first + i, word);
      }
    }
  }

  /** Changes an entry inside the table. */
  void set(int index, long word) {
    long[] page = pages[index >>> PAGE_BITS];
    if (page == null) {
      page = new long[PAGE];
      pages[index >>> PAGE_BITS] = page;
    }
    page[index & (PAGE - 1)] = word;
  }

  /** The number of entries. */
  int length() {
    return entries;
  }

  /** The entry's word; 0 behind the table's end. */
  public long word(long index) {
    long[] page = pageAt(index);
    return page == null ? 0 : page[(int) index & (PAGE - 1)];
  }

  /** The first index at or behind {@code from} whose entry points to a table, or the limit. */
  public long nextUsed(long from, long limit) {
    long index = from;
    while (index < Math.min(limit, entries) && L1Entry.offset(word(index)) == 0) {
      index = pageAt(index) == null ? nextPage(index) : index + 1;
    }
    return index < entries ? Math.min(index, limit) : limit;
  }

  /** The first index at or behind {@code from} at which one of two tables is used, or the limit. */
  static long nextUsed(L1Table a, L1Table b, long from, long limit) {
    long inA = a.nextUsed(from, limit);
    return Math.min(inA, b.nextUsed(from, inA));
  }

  private long @Nullable [] pageAt(long index) {
    return index >= entries ? null : pages[(int) index >>> PAGE_BITS];
  }

  private static long nextPage(long index) {
    return (index | (PAGE - 1)) + 1;
  }
}
