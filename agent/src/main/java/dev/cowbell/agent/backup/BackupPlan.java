package dev.cowbell.agent.backup;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.PointKind;
import dev.cowbell.agent.repository.SourceRecord;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.bitmaps.ExtentSet;
import java.util.ArrayList;
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
   * @param warnings what the user has to be warned of
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
      List<String> warnings,
      List<String> notes,
      SourceRecord source) {

    public DiskPlan {
      warnings = List.copyOf(warnings);
      notes = List.copyOf(notes);
    }

    /** The plan when it is known what differs. */
    DiskPlan with(Verdict.Rescan rescan, ExtentSet found) {
      return changed(rescan, found, found.totalLength(), rescan.warnings(), notes);
    }

    /** The plan to copy everything after all. */
    DiskPlan asFull(Verdict.Full full, long dataBytes, List<String> moreWarnings) {
      return changed(full, ExtentSet.of(0, size), dataBytes, moreWarnings, notes);
    }

    DiskPlan withNote(String note) {
      List<String> more = new ArrayList<>(notes);
      more.add(note);
      return changed(verdict, changes, copyBytes, List.of(), more);
    }

    DiskPlan withWarning(String warning) {
      return changed(verdict, changes, copyBytes, List.of(warning), notes);
    }

    private DiskPlan changed(
        Verdict newVerdict,
        ExtentSet newChanges,
        long newCopyBytes,
        List<String> moreWarnings,
        List<String> newNotes) {
      List<String> all = new ArrayList<>(warnings);
      all.addAll(moreWarnings);
      return new DiskPlan(
          disk,
          size,
          newVerdict,
          newChanges,
          granularity,
          newCopyBytes,
          tracking,
          all,
          newNotes,
          source);
    }

    public PointKind kind() {
      return parent().isPresent() ? PointKind.INCREMENTAL : PointKind.FULL;
    }

    /** The point that the overlay builds upon; empty for a full. */
    public Optional<PointId> parent() {
      return switch (verdict) {
        case Verdict.Full _ -> Optional.empty();
        case Verdict.Increment increment -> Optional.of(increment.parent());
        case Verdict.Rescan rescan -> Optional.of(rescan.parent());
      };
    }
  }
}
