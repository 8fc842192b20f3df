package dev.cowbell.agent.prune;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.PointId;
import java.util.List;
import java.util.Optional;

/**
 * One overlay that takes in those below it.
 *
 * @param target whose overlay it is
 * @param parent what it builds upon afterwards; empty if it becomes a full
 * @param absorbed what it takes in, newest first; of these, points that stay keep their overlays
 * @param reason why, for people
 */
public record DiskMerge(
    DiskName disk,
    PointId target,
    Optional<PointId> parent,
    List<PointId> absorbed,
    String reason) {

  public DiskMerge {
    absorbed = List.copyOf(absorbed);
  }
}
