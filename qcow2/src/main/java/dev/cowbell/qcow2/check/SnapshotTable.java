package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The snapshot table as a check sees it.
 *
 * @param entries what stands in it
 * @param length its bytes
 */
record SnapshotTable(List<SnapshotEntry> entries, long length) {

  /**
   * Reads the table.
   *
   * @throws CorruptImageException if it can't be taken apart, so that a check is not possible
   */
  static SnapshotTable read(ImageReader reader, Header header) throws IOException {
    Geometry geometry = header.geometry();
    geometry.checkTable(
        "the snapshot table",
        header.snapshotsOffset(),
        header.nbSnapshots(),
        SnapshotEntry.FIXED_LENGTH,
        (long) SnapshotEntry.FIXED_LENGTH * Header.MAX_SNAPSHOTS);
    List<SnapshotEntry> entries = new ArrayList<>();
    ByteBuffer window = ByteBuffer.allocate(SnapshotEntry.MAX_LENGTH * 2).limit(0);
    long at = header.snapshotsOffset();
    for (long i = 0; i < header.nbSnapshots(); i++) {
      if (window.remaining() < SnapshotEntry.MAX_LENGTH) {
        window = reader.read(at, window.clear());
      }
      int before = window.position();
      entries.add(SnapshotEntry.decode(window));
      at += window.position() - before;
      if (at - header.snapshotsOffset() > SnapshotEntry.MAX_TABLE_LENGTH) {
        throw new CorruptImageException(
            "the snapshot table is longer than %d bytes, the most allowed"
                .formatted(SnapshotEntry.MAX_TABLE_LENGTH));
      }
    }
    return new SnapshotTable(entries, at - header.snapshotsOffset());
  }

  /** Finds what is wrong with the entries themselves. */
  void check(Header header, Tally tally) throws IOException {
    for (int i = 0; i < entries.size(); i++) {
      SnapshotEntry entry = entries.get(i);
      if (header.version() >= 3 && entry.extraData().length() < SnapshotEntry.MIN_EXTRA_DATA_V3) {
        tally.found(
            new Finding.InvalidSnapshot(
                i,
                "is incomplete: %d bytes of extra data, needed are at least %d"
                    .formatted(entry.extraData().length(), SnapshotEntry.MIN_EXTRA_DATA_V3)));
      }
    }
    if (!entries.isEmpty() && header.l2Rules().dataFile()) {
      tally.found(
          new Finding.InvalidSnapshot(0, "is in an image with a data file, which can't have any"));
    }
  }

  /** Hands over the L1 tables of all snapshots whose entries make sense. */
  void addL1Tables(Geometry geometry, L1Check l1Check, Tally tally) throws IOException {
    for (int i = 0; i < entries.size(); i++) {
      SnapshotEntry entry = entries.get(i);
      if (!geometry.isClusterAligned(entry.l1TableOffset())) {
        tally.found(
            new Finding.InvalidSnapshot(
                i,
                "has its L1 table at %#x, not cluster-aligned".formatted(entry.l1TableOffset())));
      } else if (entry.l1Size() > SnapshotEntry.MAX_L1_SIZE) {
        tally.found(
            new Finding.InvalidSnapshot(
                i,
                "has an L1 table of %d entries, allowed are %d"
                    .formatted(entry.l1Size(), SnapshotEntry.MAX_L1_SIZE)));
      } else {
        l1Check.add(
            "L1 table of snapshot table entry " + i,
            entry.l1TableOffset(),
            (int) entry.l1Size(),
            false);
      }
    }
  }
}
