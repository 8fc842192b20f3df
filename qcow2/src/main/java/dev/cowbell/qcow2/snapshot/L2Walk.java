package dev.cowbell.qcow2.snapshot;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import dev.cowbell.qcow2.refcount.ReferenceBatch;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Walks through the L2 tables of whole L1 tables: for the references they hold, and for the COPIED
 * flags that follow from refcounts. Two L2 tables are in memory at a time.
 *
 * <p>Two states of one disk keep what they share at the same place: an L2 table at the same index
 * of the L1 table, a cluster at the same index of the L2 table. So tables that both have need not
 * be read to find what differs.
 */
final class L2Walk {

  private static final long[] NO_TABLE = {};

  private final HostFile file;
  private final Geometry geometry;
  private final ClusterAllocator allocator;
  private final ByteBuffer table;
  private final ByteBuffer otherTable;
  private final int entrySize;

  L2Walk(HostFile file, Header header, ClusterAllocator allocator) {
    this.file = file;
    this.geometry = header.geometry();
    this.allocator = allocator;
    this.table = ByteBuffer.allocateDirect(geometry.clusterSize());
    this.otherTable = ByteBuffer.allocateDirect(geometry.clusterSize());
    this.entrySize = geometry.l2EntrySize();
  }

  /** Names every reference that an L1 table makes: to L2 tables, and what those refer to. */
  void references(long[] l1, ReferenceBatch batch) throws IOException {
    references(l1, NO_TABLE, batch);
  }

  /**
   * Names the references of an L1 table that another one does not make at the same place.
   *
   * @param except the other one; may be shorter or longer
   */
  void references(long[] l1, long[] except, ReferenceBatch batch) throws IOException {
    for (int i = 0; i < l1.length; i++) {
      long l2 = L1Entry.offset(l1[i]);
      long other = offsetAt(except, i);
      if (l2 == 0 || l2 == other) {
        continue;
      }
      read(l2, table);
      if (other != 0) {
        read(other, otherTable);
      }
      batch.add(l2 >>> geometry.clusterBits());
      for (int at = 0; at < table.capacity(); at += entrySize) {
        long word = table.getLong(at);
        if (word != 0 && !(other != 0 && sameCluster(word, otherTable.getLong(at)))) {
          reference(word, batch);
        }
      }
    }
  }

  private static boolean sameCluster(long word, long other) {
    boolean compressed = L2Entry.isCompressed(word);
    if (compressed != L2Entry.isCompressed(other)) {
      return false;
    }
    return compressed
        ? L2Entry.withoutCopied(word) == L2Entry.withoutCopied(other)
        : L2Entry.offset(word) == L2Entry.offset(other);
  }

  private void reference(long word, ReferenceBatch batch) throws IOException {
    if (L2Entry.isCompressed(word)) {
      batch.add(
          CompressedDescriptor.hostOffset(word, geometry),
          CompressedDescriptor.length(word, geometry),
          geometry.clusterBits());
      return;
    }
    long offset = L2Entry.offset(word);
    if (offset != 0) {
      if (!geometry.isClusterAligned(offset)) {
        throw new CorruptImageException(
            "the L2 entry %#018x points to an offset that is not cluster-aligned; repair the image first"
                .formatted(word));
      }
      batch.add(offset >>> geometry.clusterBits());
    }
  }

  /**
   * Clears the COPIED flags in the L2 tables of an L1 table, which share all they refer to from now
   * on. Writes in place only tables that had a flag set.
   *
   * @param except where this one has the same L2 table, no flag is set already
   */
  void clearCopied(long[] l1, long[] except) throws IOException {
    for (int i = 0; i < l1.length; i++) {
      long l2 = L1Entry.offset(l1[i]);
      if (l2 == 0 || l2 == offsetAt(except, i)) {
        continue;
      }
      read(l2, table);
      int firstChanged = -1;
      int lastChanged = -1;
      for (int at = 0; at < table.capacity(); at += entrySize) {
        long word = table.getLong(at);
        if (L2Entry.isCopied(word)) {
          table.putLong(at, L2Entry.withoutCopied(word));
          firstChanged = firstChanged < 0 ? at : firstChanged;
          lastChanged = at;
        }
      }
      write(l2, firstChanged, lastChanged);
    }
  }

  /** {@link #clearCopied(long[], long[])} for all tables. */
  void clearCopied(long[] l1) throws IOException {
    clearCopied(l1, NO_TABLE);
  }

  /**
   * Sets the COPIED flags in the active tables where references of another L1 table were taken
   * away, and a refcount fell to 1. The L2 tables of the other one still have to be in the file.
   *
   * @return the active L1 table with its flags
   */
  long[] restoreCopied(long[] active, long[] released) throws IOException {
    long[] restored = active.clone();
    ClusterAllocator.RefcountView refcounts = allocator.refcounts();
    for (int i = 0; i < active.length; i++) {
      long l2 = L1Entry.offset(active[i]);
      long other = offsetAt(released, i);
      // A table that someone else shares has nothing that is referred to only once.
      if (l2 == 0 || other == 0 || refcounts.get(l2 >>> geometry.clusterBits()) != 1) {
        continue;
      }
      restored[i] = L1Entry.of(l2, true).word();
      read(l2, table);
      if (other != l2) {
        read(other, otherTable);
      }
      int firstChanged = -1;
      int lastChanged = -1;
      for (int at = 0; at < table.capacity(); at += entrySize) {
        long word = table.getLong(at);
        long offset = L2Entry.offset(word);
        if (!L2Entry.isCompressed(word)
            && offset != 0
            && !L2Entry.isCopied(word)
            && (other == l2 || sameCluster(word, otherTable.getLong(at)))
            && refcounts.get(offset >>> geometry.clusterBits()) == 1) {
          table.putLong(at, L2Entry.withCopied(word));
          firstChanged = firstChanged < 0 ? at : firstChanged;
          lastChanged = at;
        }
      }
      write(l2, firstChanged, lastChanged);
    }
    return restored;
  }

  private static long offsetAt(long[] l1, int index) {
    return index < l1.length ? L1Entry.offset(l1[index]) : 0;
  }

  private void read(long l2, ByteBuffer into) throws IOException {
    if (!geometry.isClusterAligned(l2)) {
      throw new CorruptImageException(
          "the L2 table at %d is not cluster-aligned; repair the image first".formatted(l2));
    }
    file.readPadded(l2, into.clear());
    into.clear();
  }

  /** Writes the sectors in which entries changed. */
  private void write(long l2, int first, int last) throws IOException {
    if (first >= 0) {
      allocator.guard().checkMetadata(Kind.ACTIVE_L2, l2, geometry.clusterSize());
      int from = first & -SECTOR;
      int to = (last & -SECTOR) + SECTOR;
      file.write(l2 + from, table.slice(from, to - from));
    }
  }

  private static final int SECTOR = 512;

  /** The words of an L1 table as they stand in the file. */
  long[] readL1(long offset, int entries) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(entries * Geometry.L1_ENTRY_SIZE);
    file.readPadded(offset, bytes);
    long[] words = new long[entries];
    bytes.clear().asLongBuffer().get(words);
    return words;
  }

  /** Writes a new L1 table, without COPIED flags, filled with zeroes up to a whole cluster. */
  void writeNewL1(long offset, long[] words) throws IOException {
    long clusters = geometry.clustersFor((long) words.length * Geometry.L1_ENTRY_SIZE);
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(clusters << geometry.clusterBits()));
    for (int i = 0; i < words.length; i++) {
      bytes.putLong(i * Geometry.L1_ENTRY_SIZE, L1Entry.offset(words[i]));
    }
    file.write(offset, bytes);
  }

  /** Writes an L1 table's words in place where they differ from what is there. */
  void rewriteL1(long offset, long[] present, long[] wanted) throws IOException {
    int first = Arrays.mismatch(present, wanted);
    if (first < 0) {
      return;
    }
    int last = wanted.length - 1;
    while (present[last] == wanted[last]) {
      last--;
    }
    ByteBuffer bytes = ByteBuffer.allocate((last + 1 - first) * Geometry.L1_ENTRY_SIZE);
    bytes.asLongBuffer().put(wanted, first, last + 1 - first);
    file.write(offset + (long) first * Geometry.L1_ENTRY_SIZE, bytes);
  }
}
