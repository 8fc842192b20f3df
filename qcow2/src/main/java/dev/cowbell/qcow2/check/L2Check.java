package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.L2Rules;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Checks the entries of L2 tables and counts what they refer to. */
final class L2Check {
  private final L2Rules rules;
  private final Geometry geometry;
  private final References references;
  private final RefcountStructure refcounts;
  private final Tally tally;

  // the table that is being checked
  private long tableOffset;
  private long visits;
  private long activeVisits;
  private long expectedOffset;

  L2Check(L2Rules rules, References references, RefcountStructure refcounts, Tally tally) {
    this.rules = rules;
    this.geometry = rules.geometry();
    this.references = references;
    this.refcounts = refcounts;
    this.tally = tally;
  }

  /**
   * Checks one table.
   *
   * @param table its content from index 0
   * @param offset where it is
   * @param times how many L1 entries refer to it
   * @param activeTimes how many of them are in the active L1 table
   */
  void check(ByteBuffer table, long offset, long times, long activeTimes) throws IOException {
    tableOffset = offset;
    visits = times;
    activeVisits = activeTimes;
    expectedOffset = 0;
    int entrySize = geometry.l2EntrySize();
    for (int i = 0; i < geometry.l2Entries(); i++) {
      long word = table.getLong(i * entrySize);
      long bitmap = geometry.extendedL2() ? table.getLong(i * entrySize + Long.BYTES) : 0;
      if (L2Entry.isCompressed(word)) {
        compressed(i, word, bitmap);
      } else if (word != 0 || bitmap != 0) {
        standard(i, word, bitmap);
      }
    }
  }

  private void compressed(int index, long word, long bitmap) throws IOException {
    if (L2Entry.isCopied(word)) {
      foundOnce(
          new Finding.CopiedFlagOfCompressed(place("L2 entry", index), entry(index, word, bitmap)));
    }
    if (rules.dataFile()) {
      invalid(index, word, "is compressed, which a data file rules out");
      return;
    }
    if (bitmap != 0) {
      foundOnce(
          new Finding.BitmapOfCompressed(place("L2 entry", index), entry(index, word, bitmap)));
      return;
    }
    long offset = CompressedDescriptor.hostOffset(word, geometry);
    int length = CompressedDescriptor.length(word, geometry);
    count("compressed cluster", index, offset, length);
    if (activeVisits > 0) {
      // no two of them can be read as one
      tally.allocated(activeVisits, true, true);
    }
  }

  private void standard(int index, long word, long bitmap) throws IOException {
    long reserved = new L2Entry(word, bitmap).reserved(false);
    if (reserved != 0) {
      foundOnce(
          new Finding.ReservedBits(place("L2 entry", index), entry(index, word, bitmap), reserved));
    }
    if (!rules.holdsCluster(word)) {
      if (L2Entry.allocatedSubclusters(bitmap) != 0) {
        invalid(index, word, "has allocated subclusters but no host cluster");
      }
      return;
    }
    if ((L2Entry.allocatedSubclusters(bitmap) & L2Entry.zeroSubclusters(bitmap)) != 0) {
      invalid(index, word, "has subclusters that are both allocated and zero");
    }
    long offset = L2Entry.offset(word);
    if (!geometry.isClusterAligned(offset)) {
      unaligned(index, word, bitmap);
    }
    if (activeVisits > 0) {
      tally.allocated(activeVisits, expectedOffset != 0 && offset != expectedOffset, false);
      expectedOffset = offset + geometry.clusterSize();
    }
    if (!rules.dataFile()) {
      count("data cluster", index, offset, geometry.clusterSize());
    }
    if (activeVisits > 0) {
      copiedFlag(index, word, bitmap, offset);
    }
  }

  private void copiedFlag(int index, long word, long bitmap, long offset) throws IOException {
    if (rules.dataFile()) {
      if (!L2Entry.isCopied(word)) {
        foundOnce(
            new Finding.WrongCopiedFlag(
                place("data cluster", index), entry(index, word, bitmap), true));
      }
      return;
    }
    long cluster = offset >>> geometry.clusterBits();
    if (references.counts().contains(cluster) && refcounts.isKnown(cluster)) {
      boolean one = refcounts.isOne(cluster);
      if (one != L2Entry.isCopied(word)) {
        tally.found(
            new Finding.WrongCopiedFlag(
                place("data cluster", index), entry(index, word, bitmap), one));
      }
    }
  }

  private void unaligned(int index, long word, long bitmap) throws IOException {
    boolean data =
        geometry.extendedL2() ? L2Entry.allocatedSubclusters(bitmap) != 0 : !L2Entry.isZero(word);
    String place = place("L2 entry", index);
    foundOnce(
        data
            ? new Finding.Unaligned(place, L2Entry.offset(word))
            : new Finding.UnalignedPreallocation(place, entry(index, word, bitmap)));
  }

  private Finding.TableEntry entry(int index, long word, long bitmap) {
    // a table that is not aligned is none for its readers, and nobody's to change
    long references = geometry.isClusterAligned(tableOffset) ? visits : -1;
    return new Finding.TableEntry(
        tableOffset + (long) index * geometry.l2EntrySize(), word, bitmap, references);
  }

  private void foundOnce(Finding finding) throws IOException {
    if (tally.isFirstPass()) {
      tally.found(finding);
    }
  }

  private void count(String what, int index, long offset, int length) throws IOException {
    if (!references.isOutside(offset, length)) {
      references.add(offset, length, visits);
    } else if (tally.isFirstPass()) {
      tally.found(
          new Finding.OutsideFile(place(what, index), offset, length, references.fileSize()));
    }
  }

  private void invalid(int index, long word, String problem) throws IOException {
    foundOnce(new Finding.InvalidEntry(place("L2 entry", index), word, problem));
  }

  private String place(String what, int index) {
    return "%s %d of the table at %#x".formatted(what, index, tableOffset);
  }
}
