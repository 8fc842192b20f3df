package dev.cowbell.agent.repository;

import java.util.Optional;

/**
 * What a manifest says of one disk.
 *
 * @param name the disk
 * @param virtualSize its size in bytes at this point
 * @param parent the point that the overlay builds upon; empty for a full one
 * @param reason why this is a full or an increment, in a sentence for people
 * @param overlay the stored object
 * @param counts what is in it
 * @param digests of what the overlay holds; empty if there are none
 * @param tracking the bitmap that records changes since this point, if one could be added
 * @param source what was backed up
 */
public record DiskRecord(
    DiskName name,
    long virtualSize,
    Optional<PointId> parent,
    String reason,
    OverlayRecord overlay,
    Counts counts,
    Optional<DigestsRecord> digests,
    Optional<TrackingRecord> tracking,
    SourceRecord source) {

  static final int MAX_REASON = 4096;

  public DiskRecord {
    if (virtualSize < 0) {
      throw new IllegalArgumentException("disk size " + virtualSize + " is negative");
    }
  }

  /** The same disk at the same point, stored otherwise. */
  public DiskRecord stored(
      Optional<PointId> newParent, OverlayRecord newOverlay, Counts newCounts) {
    return new DiskRecord(
        name, virtualSize, newParent, reason, newOverlay, newCounts, digests, tracking, source);
  }

  /** The same disk at the same point, with other digests. */
  public DiskRecord withDigests(Optional<DigestsRecord> others) {
    return new DiskRecord(
        name, virtualSize, parent, reason, overlay, counts, others, tracking, source);
  }

  /** The bytes that it takes in the store. */
  public long storedBytes() {
    return overlay.size() + digests.map(DigestsRecord::size).orElse(0L);
  }

  /** Whether the overlay holds all of the disk or only what changed since the parent. */
  public PointKind kind() {
    return parent.isEmpty() ? PointKind.FULL : PointKind.INCREMENTAL;
  }

  /**
   * What an overlay holds.
   *
   * @param dataClusters its clusters of data
   * @param zeroClusters its clusters that say "zero now"
   * @param changedBytes the guest bytes that it says something about
   */
  public record Counts(long dataClusters, long zeroClusters, long changedBytes) {}
}
