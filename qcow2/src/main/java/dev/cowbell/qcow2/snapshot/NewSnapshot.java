package dev.cowbell.qcow2.snapshot;

import dev.cowbell.qcow2.SnapshotRefusedException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Optional;

/**
 * What a new internal snapshot is to say of itself.
 *
 * @param name at most {@value #MAX_NAME_BYTES} bytes of UTF-8; others may have it, too
 * @param id at most as long and of no other snapshot; without one, the number behind the greatest
 * @param date when it is taken: seconds fit unsigned 32 bits
 * @param vmClockNsec how long the guest had run, in nanoseconds
 */
public record NewSnapshot(String name, Optional<String> id, Instant date, long vmClockNsec) {

  /** What QEMU shows of a name or an id. */
  public static final int MAX_NAME_BYTES = 255;

  /** VM state size, disk size, and the count of executed instructions: as QEMU since 5.2. */
  private static final int EXTRA_DATA = 24;

  /** qemu-img says so of a disk without a guest, and so does this. */
  private static final long INSTRUCTIONS = 0;

  private static final long MAX_SECONDS = 0xffff_ffffL;

  /** A snapshot of a disk without a running guest. */
  public static NewSnapshot named(String name, Instant date) {
    return new NewSnapshot(name, Optional.empty(), date, 0);
  }

  void check(SnapshotTable present) throws SnapshotRefusedException {
    checkText("name", name);
    if (id.isPresent()) {
      checkText("id", id.get());
      if (present.byId(id.get()).isPresent()) {
        throw new SnapshotRefusedException(
            "there is an internal snapshot of the id %s already".formatted(id.get()));
      }
    }
    if (date.getEpochSecond() < 0 || date.getEpochSecond() > MAX_SECONDS) {
      throw new SnapshotRefusedException(
          "a snapshot's date is between 1970 and 2106; this one is " + date);
    }
  }

  private static void checkText(String what, String text) throws SnapshotRefusedException {
    int length = Bytes.utf8(text).length();
    if (length > MAX_NAME_BYTES || text.indexOf('\0') >= 0) {
      throw new SnapshotRefusedException(
          "a snapshot's %s has at most %d bytes and no NUL; this one has %d"
              .formatted(what, MAX_NAME_BYTES, length));
    }
  }

  /** The entry for the snapshot table. */
  SnapshotEntry entry(SnapshotTable present, long l1Offset, int l1Size, long diskSize) {
    ByteBuffer extra =
        ByteBuffer.allocate(EXTRA_DATA).putLong(0).putLong(diskSize).putLong(INSTRUCTIONS);
    return new SnapshotEntry(
        l1Offset,
        l1Size,
        date.getEpochSecond(),
        date.getNano(),
        vmClockNsec,
        0,
        Bytes.take(extra.flip(), EXTRA_DATA),
        Bytes.utf8(id.orElseGet(present::nextId)),
        Bytes.utf8(name));
  }
}
