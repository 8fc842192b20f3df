package dev.cowbell.qcow2.snapshot;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.SnapshotNotFoundException;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The internal snapshots of an image, in the table's order (specification: "Snapshots"). */
public record SnapshotTable(List<SnapshotEntry> entries) {
  private static final int WINDOW = 4 * SnapshotEntry.MAX_LENGTH;
  private static final String BY_ID = "snapshot.id=";
  private static final String BY_NAME = "snapshot.name=";
  private static final int MAX_LISTED = 20;

  /** What C's strtoul would take of an id; a longer number counts as the greatest one. */
  private static final Pattern LEADING_NUMBER = Pattern.compile("^\\s*\\+?([0-9]{1,40})");

  private static final BigInteger GREATEST_ID = BigInteger.valueOf(Long.MAX_VALUE);

  public SnapshotTable {
    entries = List.copyOf(entries);
  }

  /**
   * Reads the table whose place the header gives, and which has been checked.
   *
   * @throws CorruptImageException if the table or an entry is longer than allowed
   */
  public static SnapshotTable read(HostFile file, Header header) throws IOException {
    List<SnapshotEntry> entries = new ArrayList<>();
    ByteBuffer window = ByteBuffer.allocate(header.nbSnapshots() == 0 ? 0 : WINDOW);
    long windowStart = header.snapshotsOffset();
    window.limit(0);
    for (long i = 0; i < header.nbSnapshots(); i++) {
      if (window.remaining() < SnapshotEntry.MAX_LENGTH) {
        windowStart += window.position();
        window.clear();
        file.readPadded(windowStart, window);
        window.flip();
      }
      entries.add(SnapshotEntry.decode(window));
      if (windowStart + window.position() - header.snapshotsOffset()
          > SnapshotEntry.MAX_TABLE_LENGTH) {
        throw new CorruptImageException(
            "the snapshot table is longer than %d bytes".formatted(SnapshotEntry.MAX_TABLE_LENGTH));
      }
    }
    return new SnapshotTable(entries);
  }

  /**
   * Finds a snapshot: by its id, else by its name; or by what {@code snapshot.id=} or {@code
   * snapshot.name=} says.
   */
  public SnapshotEntry find(String wanted) throws SnapshotNotFoundException {
    Optional<SnapshotEntry> found;
    if (wanted.startsWith(BY_ID)) {
      found = byId(wanted.substring(BY_ID.length()));
    } else if (wanted.startsWith(BY_NAME)) {
      found = byName(wanted.substring(BY_NAME.length()));
    } else {
      found = byId(wanted).or(() -> byName(wanted));
    }
    return found.orElseThrow(() -> new SnapshotNotFoundException(notFound(wanted)));
  }

  public Optional<SnapshotEntry> byId(String id) {
    return entries.stream().filter(entry -> entry.id().equals(id)).findFirst();
  }

  public Optional<SnapshotEntry> byName(String name) {
    return entries.stream().filter(entry -> entry.name().equals(name)).findFirst();
  }

  /** The number behind the greatest that an id starts with, as QEMU chooses an id. */
  String nextId() {
    BigInteger greatest = BigInteger.ZERO;
    for (SnapshotEntry entry : entries) {
      Matcher digits = LEADING_NUMBER.matcher(entry.id());
      if (digits.find()) {
        greatest = greatest.max(new BigInteger(digits.group(1)).min(GREATEST_ID));
      }
    }
    return greatest.add(BigInteger.ONE).toString();
  }

  /** The bytes of the table in the file. */
  public long length() {
    return entries.stream().mapToLong(SnapshotEntry::encodedLength).sum();
  }

  /** The table's bytes, with zeroes behind them up to {@code size}. */
  ByteBuffer encode(int size) {
    ByteBuffer bytes = ByteBuffer.allocate(size);
    entries.forEach(entry -> entry.encode(bytes));
    return bytes.clear();
  }

  /** The table with one more snapshot. */
  SnapshotTable with(SnapshotEntry added) {
    List<SnapshotEntry> all = new ArrayList<>(entries);
    all.add(added);
    return new SnapshotTable(all);
  }

  /** The table without one of its snapshots. */
  SnapshotTable without(SnapshotEntry gone) {
    List<SnapshotEntry> all = new ArrayList<>(entries);
    all.remove(gone);
    return new SnapshotTable(all);
  }

  private String notFound(String wanted) {
    String there =
        entries.stream()
            .limit(MAX_LISTED)
            .map(entry -> "%s (%s)".formatted(entry.id(), entry.name()))
            .collect(Collectors.joining(", "))
            .replaceAll("\\p{C}", "?");
    return "no internal snapshot has the id or the name %s; the image has %s"
        .formatted(wanted, entries.isEmpty() ? "none" : there);
  }
}
