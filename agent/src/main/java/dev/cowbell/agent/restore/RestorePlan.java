package dev.cowbell.agent.restore;

import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.restore.RestoreRequest.Format;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What a restore is going to do.
 *
 * @param point the point to restore
 * @param disks each into a file of its own
 */
public record RestorePlan(Manifest point, List<DiskTarget> disks) {

  public RestorePlan {
    disks = List.copyOf(disks);
  }

  /**
   * What is going to be done for one disk.
   *
   * @param chain the overlays that make it up
   * @param size of the result in bytes, as its guest sees it
   * @param target where it goes
   * @param format of the result
   * @param tracking the bitmap that it gets
   */
  public record DiskTarget(
      DiskChain chain,
      long size,
      Target target,
      Format format,
      Optional<TrackingRecord> tracking) {}

  /** Where a disk goes. */
  public sealed interface Target {
    Path path();

    /** A file that appears under its name when it is complete. */
    record NewFile(Path path) implements Target {}

    /** A file that replaces the one of that name when it is complete. */
    record ReplacedFile(Path path) implements Target {}

    /** A block device, written in place. */
    record BlockDevice(Path path) implements Target {}
  }
}
