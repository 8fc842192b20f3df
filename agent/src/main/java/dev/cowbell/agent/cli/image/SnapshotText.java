package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.io.PrintStream;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;

/** A list of internal snapshots for people, in qemu-img's lines. */
final class SnapshotText {
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT);

  private SnapshotText() {}

  /** Prints a list; nothing at all when it is empty. */
  static void print(PrintStream out, ZoneId zone, List<SnapshotEntry> snapshots) {
    if (snapshots.isEmpty()) {
      return;
    }
    out.println("Snapshot list:");
    out.printf("%-10s%-17s%8s%20s%13s%11s%n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
    for (SnapshotEntry snapshot : snapshots) {
      long icount = snapshot.icount().orElse(-1);
      out.printf(
          "%-9s %-16s %8s%20s%13s%11s%n",
          clean(snapshot.id()),
          clean(snapshot.name()),
          ByteSize.human(Math.max(0, snapshot.vmStateSize())),
          DATE.format(Instant.ofEpochSecond(snapshot.dateSec()).atZone(zone)),
          clock(snapshot.vmClockNsec()),
          icount == -1 ? "" : String.valueOf(icount));
    }
  }

  private static String clock(long nanos) {
    long millis = nanos / 1_000_000;
    return "%02d:%02d:%02d.%03d"
        .formatted(millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60, millis % 1000);
  }

  private static String clean(String text) {
    return text.replaceAll("\\p{C}", "?");
  }
}
