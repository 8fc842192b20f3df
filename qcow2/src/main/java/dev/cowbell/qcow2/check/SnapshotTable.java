package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Bytes;
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
 * @param entries what stands in it, each with no more extra data than allowed
 * @param length its bytes
 * @param faults what is wrong with it that writing it anew puts right
 */
record SnapshotTable(List<SnapshotEntry> entries, long length, List<Finding> faults) {

  /** Where an entry's 32 bits with the length of its extra data are. */
  private static final int EXTRA_SIZE_AT = 36;

  private static final int ALIGNMENT = 8;

  /**
   * Reads the table.
   *
   * @param forRepair whether entries with too much extra data, and entries too many, are faults
   *     rather than a reason to give up
   * @throws CorruptImageException if it can't be taken apart, so that a check is not possible
   */
  static SnapshotTable read(ImageReader reader, Header header, boolean forRepair)
      throws IOException {
    List<Finding> faults = new ArrayList<>();
    long count = header.nbSnapshots();
    if (forRepair && count > Header.MAX_SNAPSHOTS) {
      faults.add(
          new Finding.InvalidSnapshot(
              Header.MAX_SNAPSHOTS,
              "and %d behind it are more than allowed".formatted(count - Header.MAX_SNAPSHOTS)));
      count = Header.MAX_SNAPSHOTS;
    }
    header
        .geometry()
        .checkTable(
            "the snapshot table",
            header.snapshotsOffset(),
            count,
            SnapshotEntry.FIXED_LENGTH,
            (long) SnapshotEntry.FIXED_LENGTH * Header.MAX_SNAPSHOTS);
    List<SnapshotEntry> entries = new ArrayList<>();
    ByteBuffer window = ByteBuffer.allocate(SnapshotEntry.MAX_LENGTH * 2).limit(0);
    long length = 0;
    for (int i = 0; i < count; i++) {
      if (window.remaining() < SnapshotEntry.MAX_LENGTH) {
        window = reader.read(header.snapshotsOffset() + length, window.clear());
      }
      long extra = Integer.toUnsignedLong(window.getInt(window.position() + EXTRA_SIZE_AT));
      int before = window.position();
      if (forRepair && extra > SnapshotEntry.MAX_EXTRA_DATA) {
        Shortened entry = shortened(reader, header.snapshotsOffset() + length, extra);
        faults.add(
            new Finding.InvalidSnapshot(
                i,
                "has %d bytes of extra data, allowed are %d"
                    .formatted(extra, SnapshotEntry.MAX_EXTRA_DATA)));
        entries.add(entry.entry());
        length += entry.storedLength();
        window.limit(0);
      } else {
        entries.add(SnapshotEntry.decode(window));
        length += window.position() - before;
      }
      if (length > SnapshotEntry.MAX_TABLE_LENGTH) {
        if (!forRepair) {
          throw new CorruptImageException(
              "the snapshot table is longer than %d bytes, the most allowed"
                  .formatted(SnapshotEntry.MAX_TABLE_LENGTH));
        }
        entries.removeLast();
        faults.add(
            new Finding.InvalidSnapshot(
                i, "ends behind %d bytes of table".formatted(SnapshotEntry.MAX_TABLE_LENGTH)));
        break;
      }
    }
    return new SnapshotTable(
        entries,
        Math.min(length, SnapshotEntry.MAX_TABLE_LENGTH),
        incomplete(header, entries, faults));
  }

  private record Shortened(SnapshotEntry entry, long storedLength) {}

  /** Reads an entry whose extra data is too long: its start and, far behind, its names. */
  private static Shortened shortened(ImageReader reader, long at, long extra) throws IOException {
    int head = SnapshotEntry.FIXED_LENGTH + SnapshotEntry.MAX_EXTRA_DATA;
    ByteBuffer entry = ByteBuffer.allocate(SnapshotEntry.MAX_LENGTH);
    reader.read(at, entry.limit(head));
    entry.clear().position(head);
    reader.read(at + SnapshotEntry.FIXED_LENGTH + extra, entry);
    entry.putInt(EXTRA_SIZE_AT, SnapshotEntry.MAX_EXTRA_DATA);
    SnapshotEntry decoded = SnapshotEntry.decode(entry.rewind());
    long length =
        SnapshotEntry.FIXED_LENGTH
            + extra
            + decoded.idBytes().length()
            + decoded.nameBytes().length();
    return new Shortened(decoded, (length + ALIGNMENT - 1) & -ALIGNMENT);
  }

  private static List<Finding> incomplete(
      Header header, List<SnapshotEntry> entries, List<Finding> faults) {
    for (int i = 0; i < entries.size(); i++) {
      int extra = entries.get(i).extraData().length();
      if (header.version() >= 3 && extra < SnapshotEntry.MIN_EXTRA_DATA_V3) {
        faults.add(
            new Finding.InvalidSnapshot(
                i,
                "is incomplete: %d bytes of extra data, needed are at least %d"
                    .formatted(extra, SnapshotEntry.MIN_EXTRA_DATA_V3)));
      }
    }
    return List.copyOf(faults);
  }

  /** Finds what is wrong with the entries themselves. */
  void check(Header header, Tally tally) throws IOException {
    for (Finding fault : faults) {
      tally.found(fault);
    }
    if (!entries.isEmpty() && header.l2Rules().dataFile()) {
      tally.found(
          new Finding.InvalidSnapshot(0, "is in an image with a data file, which can't have any"));
    }
  }

  /** The table as it should be: version 3 wants the sizes of VM state and disk in extra data. */
  SnapshotTable mended(Header header) {
    List<SnapshotEntry> mended = new ArrayList<>();
    long length = 0;
    for (SnapshotEntry entry : entries) {
      SnapshotEntry right = header.version() >= 3 ? completed(entry, header.diskSize()) : entry;
      mended.add(right);
      length += right.encodedLength();
    }
    return new SnapshotTable(mended, length, List.of());
  }

  private static SnapshotEntry completed(SnapshotEntry entry, long diskSize) {
    if (entry.extraData().length() >= SnapshotEntry.MIN_EXTRA_DATA_V3) {
      return entry;
    }
    ByteBuffer extra = ByteBuffer.allocate(SnapshotEntry.MIN_EXTRA_DATA_V3);
    extra.putLong(entry.vmStateSize()).putLong(entry.diskSize().orElse(diskSize));
    return new SnapshotEntry(
        entry.l1TableOffset(),
        entry.l1Size(),
        entry.dateSec(),
        entry.dateNsec(),
        entry.vmClockNsec(),
        entry.vmStateSizeField(),
        Bytes.copyOf(extra.array()),
        entry.idBytes(),
        entry.nameBytes());
  }

  /** The table's bytes. */
  ByteBuffer encode() {
    ByteBuffer bytes = ByteBuffer.allocate((int) length);
    entries.forEach(entry -> entry.encode(bytes));
    return bytes.rewind();
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
      } else if (entry.l1TableOffset() == 0 && entry.l1Size() > 0) {
        // As a table, the header would name the refcount table, wherever a repair puts it.
        tally.found(
            new Finding.InvalidSnapshot(i, "has its L1 table at offset 0, over the header"));
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
