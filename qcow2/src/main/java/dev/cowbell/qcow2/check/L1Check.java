package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L1Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;

/**
 * Checks all L1 tables, the active one and the snapshots', and through them all L2 tables. Each
 * table is read once however many others share it, so an image with loops costs no more than any.
 */
final class L1Check {
  private static final int CHUNK = 1 << 20;
  private static final int MAX_UNALIGNED = 4096;

  private final ImageReader reader;
  private final Geometry geometry;
  private final References references;
  private final RefcountStructure refcounts;
  private final Tally tally;
  private final WeightedRanges tables = new WeightedRanges();
  private final WeightedRanges tableClusters = new WeightedRanges();
  private final ReferenceCounts l2Tables = new ReferenceCounts();
  private final ReferenceCounts activeL2Tables = new ReferenceCounts();

  /**
   * Where the first table begins that ends outside the file and so is not counted: from there on an
   * entry is nobody's to change, since what else its cluster holds can't be told.
   */
  private long uncountedFrom = Long.MAX_VALUE;

  /** L2 tables that no reader could use; a check looks at so many of them nevertheless. */
  private final Map<Long, long[]> unalignedTables = new TreeMap<>();

  L1Check(
      ImageReader reader,
      Geometry geometry,
      References references,
      RefcountStructure refcounts,
      Tally tally) {
    this.reader = reader;
    this.geometry = geometry;
    this.references = references;
    this.refcounts = refcounts;
    this.tally = tally;
  }

  /**
   * Adds an L1 table; to be called for all of them before {@link #countTables}.
   *
   * @throws CorruptImageException if no file could have a table there, so that a check is not
   *     possible
   */
  void add(String what, long offset, int entries, boolean active) throws IOException {
    if (entries == 0) {
      return;
    }
    long length = (long) entries * Geometry.L1_ENTRY_SIZE;
    if (offset < 0 || offset > References.END_OF_ALL_FILES - length) {
      throw new CorruptImageException(
          "%s at offset %#x is behind the end of the longest possible file"
              .formatted(what, offset));
    }
    tables.add(offset, offset + length, active);
    if (references.isOutside(offset, length)) {
      tally.found(new Finding.OutsideFile(what, offset, length, references.fileSize()));
      uncountedFrom = Math.min(uncountedFrom, offset);
    } else {
      long last = (offset + length - 1) >>> geometry.clusterBits();
      tableClusters.add(offset >>> geometry.clusterBits(), last + 1, active);
    }
  }

  /** Counts the references to the L1 tables themselves and to the L2 tables. */
  void countTables() throws IOException {
    for (WeightedRanges.Piece piece : tableClusters.pieces()) {
      references.addClusters(piece.start(), piece.end(), piece.weight());
    }
    forEachEntry(this::countL2Table);
  }

  /**
   * Checks all L2 tables.
   *
   * @param clusters the clusters of the file
   */
  void checkL2Tables(L2Check l2Check, long clusters) throws IOException {
    ByteBuffer tables = ByteBuffer.allocate(Math.max(CHUNK, geometry.clusterSize()));
    for (long first = 0; first < clusters; first += ReferenceCounts.WINDOW) {
      l2Tables.moveTo(first);
      activeL2Tables.moveTo(first);
      forEachEntry(this::collectL2Table);
      long end = first + ReferenceCounts.WINDOW;
      for (long at = l2Tables.next(first); at < end; at = l2Tables.next(at + 1)) {
        at = checkRun(l2Check, tables, at, end);
        tally.between();
      }
    }
    for (Map.Entry<Long, long[]> unaligned : unalignedTables.entrySet()) {
      reader.read(unaligned.getKey(), tables.clear().limit(geometry.clusterSize()));
      long[] times = unaligned.getValue();
      l2Check.check(tables, unaligned.getKey(), times[0], times[1]);
    }
  }

  /** Reads adjacent tables at once and returns the last one's cluster. */
  private long checkRun(L2Check l2Check, ByteBuffer buffer, long first, long end)
      throws IOException {
    int most = buffer.capacity() >> geometry.clusterBits();
    int count = 1;
    while (count < most && first + count < end && l2Tables.get(first + count) > 0) {
      count++;
    }
    buffer.clear().limit(count << geometry.clusterBits());
    reader.read(first << geometry.clusterBits(), buffer);
    for (int i = 0; i < count; i++) {
      l2Check.check(
          buffer.slice(i << geometry.clusterBits(), geometry.clusterSize()),
          (first + i) << geometry.clusterBits(),
          l2Tables.get(first + i),
          activeL2Tables.get(first + i));
    }
    return first + count - 1;
  }

  /** What to do with an entry of which so many L1 tables consist. */
  private interface EntryVisitor {
    void visit(long word, long hostOffset, WeightedRanges.Piece tables) throws IOException;
  }

  private void forEachEntry(EntryVisitor visitor) throws IOException {
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
    for (WeightedRanges.Piece piece : tables.pieces()) {
      for (long at = piece.start(); at < piece.end() && at < references.fileSize(); ) {
        chunk.clear().limit((int) Math.min(CHUNK, piece.end() - at));
        reader.read(at, chunk);
        for (int i = 0; i < chunk.limit(); i += Geometry.L1_ENTRY_SIZE) {
          long word = chunk.getLong(i);
          if (word != 0) {
            visitor.visit(word, at + i, piece);
          }
        }
        at += chunk.limit();
        tally.between();
      }
    }
  }

  private void countL2Table(long word, long at, WeightedRanges.Piece piece) throws IOException {
    long offset = L1Entry.offset(word);
    L1Entry entry = new L1Entry(word);
    if (offset == 0) {
      // readers see no table, QEMU's check takes the header for one
      if (tally.isFirstPass()) {
        tally.found(new Finding.ReservedBits(place(at), tableEntry(at, word, piece), word));
      }
      return;
    }
    boolean outside = references.isOutside(offset, geometry.clusterSize());
    if (tally.isFirstPass()) {
      if (entry.reserved() != 0) {
        tally.found(
            new Finding.ReservedBits(place(at), tableEntry(at, word, piece), entry.reserved()));
      }
      if (!geometry.isClusterAligned(offset)) {
        tally.found(new Finding.Unaligned(place(at), offset));
        addUnaligned(offset, piece);
      }
      if (outside) {
        tally.found(
            new Finding.OutsideFile(
                "L2 table of the " + place(at),
                offset,
                geometry.clusterSize(),
                references.fileSize()));
      }
    }
    if (!outside) {
      references.add(offset, geometry.clusterSize(), piece.weight());
    }
    long cluster = offset >>> geometry.clusterBits();
    if (piece.special() > 0
        && references.counts().contains(cluster)
        && refcounts.isKnown(cluster)
        && refcounts.isOne(cluster) != entry.copied()) {
      tally.found(
          new Finding.WrongCopiedFlag(
              "L2 table of the " + place(at),
              tableEntry(at, word, piece),
              refcounts.isOne(cluster)));
    }
  }

  private Finding.TableEntry tableEntry(long at, long word, WeightedRanges.Piece piece) {
    return new Finding.TableEntry(at, word, 0, at < uncountedFrom ? piece.weight() : -1);
  }

  private void addUnaligned(long offset, WeightedRanges.Piece piece) {
    if (unalignedTables.size() < MAX_UNALIGNED && offset < references.fileSize()) {
      long[] times = unalignedTables.computeIfAbsent(offset, _ -> new long[2]);
      times[0] += piece.weight();
      times[1] += piece.special();
    }
  }

  private void collectL2Table(long word, long at, WeightedRanges.Piece piece) {
    long offset = L1Entry.offset(word);
    long cluster = offset >>> geometry.clusterBits();
    if (offset != 0
        && geometry.isClusterAligned(offset)
        && !references.isOutside(offset, geometry.clusterSize())
        && l2Tables.contains(cluster)) {
      l2Tables.add(cluster, piece.weight(), Long.MAX_VALUE);
      if (piece.special() > 0) {
        activeL2Tables.add(cluster, piece.special(), Long.MAX_VALUE);
      }
    }
  }

  private static String place(long at) {
    return "L1 entry at %#x".formatted(at);
  }
}
