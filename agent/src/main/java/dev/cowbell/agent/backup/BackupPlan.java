package dev.cowbell.agent.backup;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.PointKind;
import dev.cowbell.agent.repository.SourceRecord;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.bitmaps.ExtentSet;
import java.util.List;
import java.util.Optional;

/**
 * What a backup is going to do.
 *
 * @param point the id of the point it makes
 * @param disks in the order in which they are copied
 */
public record BackupPlan(VmName vm, PointId point, List<DiskPlan> disks) {

  public BackupPlan {
    disks = List.copyOf(disks);
  }

  /**
   * What is going to be done with one disk.
   *
   * @param size of the disk in bytes
   * @param verdict full or increment, and why
   * @param changes the guest bytes to copy; for a full all of them
   * @param granularity smaller changes than this are not known, in bytes
   * @param copyBytes how many guest bytes are to be copied at most
   * @param tracking the bitmap to add; empty if none can be, or none is needed
   * @param notes what the user should know, without being warned
   * @param source where the bytes come from
   */
  public record DiskPlan(
      DiskName disk,
      long size,
      Verdict verdict,
      ExtentSet changes,
      long granularity,
      long copyBytes,
      Optional<TrackingRecord> tracking,
      List<String> notes,
      SourceRecord source) {

    public DiskPlan {
      notes = List.copyOf(notes);
    }

    public PointKind kind() {
      return parent().isPresent() ? PointKind.INCREMENTAL : PointKind.FULL;
    }

    /** What the user has to be warned of. */
    public List<String> warnings() {
      return verdict instanceof Verdict.Increment increment ? increment.warnings() : List.of();
    }

    /** The point that the overlay builds upon; empty for a full. */
    public Optional<PointId> parent() {
      return verdict instanceof Verdict.Increment increment
          ? Optional.of(increment.parent())
          : Optional.empty();
    }
  }
}
