package dev.cowbell.agent.prune;

import dev.cowbell.agent.repository.PointId;
import dev.cowbell.storage.ObjectKey;
import java.util.List;

/**
 * What a prune of one VM did, or would do.
 *
 * @param plan what was decided
 * @param merges what was merged and what that was estimated to cost
 * @param removed the points that are gone, newest first
 * @param sweptObjects what interrupted runs had left
 * @param sweptUploads how many unfinished uploads were cleared
 * @param problems what could not be done; nothing is lost by that
 */
public record PruneReport(
    PrunePlan plan,
    List<MergeDone> merges,
    List<PointId> removed,
    List<ObjectKey> sweptObjects,
    int sweptUploads,
    List<String> problems) {

  /** A merge and its cost. */
  public record MergeDone(DiskMerge merge, MergeCost cost) {}

  public PruneReport {
    merges = List.copyOf(merges);
    removed = List.copyOf(removed);
    sweptObjects = List.copyOf(sweptObjects);
    problems = List.copyOf(problems);
  }

  public MergeCost cost() {
    return merges.stream().map(MergeDone::cost).reduce(MergeCost.NONE, MergeCost::plus);
  }
}
