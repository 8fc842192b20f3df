package dev.cowbell.agent.backup;

import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.TrackingRecord;
import java.util.Optional;

/**
 * A point that an increment might build upon.
 *
 * @param point its id
 * @param record what its manifest says of the disk
 * @param bitmap the name of the bitmap that records changes since this point, in the image that was
 *     backed up or in one that was restored
 * @param chainProblem what makes its chain unusable; empty if nothing does
 * @param hasDigests whether every overlay of its chain was written with digests
 */
public record ParentFacts(
    PointId point,
    DiskRecord record,
    String bitmap,
    Optional<String> chainProblem,
    boolean hasDigests) {

  /**
   * The name that goes with a point.
   *
   * @param disks how many disks the point has
   */
  static String bitmapName(PointId point, DiskRecord record, int disks) {
    return record
        .tracking()
        .map(TrackingRecord::bitmap)
        .orElseGet(() -> TrackingRecord.bitmapName(point, record.name(), disks));
  }
}
