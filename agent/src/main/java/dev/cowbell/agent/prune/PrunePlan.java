package dev.cowbell.agent.prune;

import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.VmName;
import java.util.List;

/**
 * What a prune of one VM is going to do. Printing it gives a line per point and per merge.
 *
 * @param fates of all points, newest first
 * @param drops the points that have to be marked as going, oldest first
 * @param merges in the order in which they are made: a parent's before its children's
 * @param removals the points whose manifests and objects go after the merges, newest first
 */
public record PrunePlan(
    VmName vm,
    List<PointFate> fates,
    List<PointId> drops,
    List<DiskMerge> merges,
    List<PointId> removals) {

  public PrunePlan {
    fates = List.copyOf(fates);
    drops = List.copyOf(drops);
    merges = List.copyOf(merges);
    removals = List.copyOf(removals);
  }
}
