package dev.cowbell.agent.prune;

import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.StoredManifest;
import dev.cowbell.agent.retention.Retention;
import dev.cowbell.agent.retention.RetentionPlan;
import dev.cowbell.agent.retention.RetentionPoint;
import dev.cowbell.agent.retention.RetentionPoint.Health;
import dev.cowbell.agent.retention.Verdict;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Decides what a prune does, from what the manifests say. Reads and writes nothing. */
final class PrunePlanner {

  private final Catalogue catalogue;
  private final PruneRequest request;
  private final Map<PointId, String> broken;
  private final Instant now;
  private final Map<PointId, List<String>> reasons = new HashMap<>();

  /**
   * @param broken points whose chains can't be used, and what is wrong
   */
  PrunePlanner(
      Catalogue catalogue, PruneRequest request, Map<PointId, String> broken, Instant now) {
    this.catalogue = catalogue;
    this.request = request;
    this.broken = Map.copyOf(broken);
    this.now = now;
  }

  PrunePlan plan() {
    Set<PointId> going = going();
    List<DiskMerge> merges = new ArrayList<>();
    Set<PointId> carried = new TreeSet<>();
    Set<PointId> absorbed = new TreeSet<>();
    for (DiskName disk : disks()) {
      DiskTree tree = new DiskTree(catalogue, disk, going, broken.keySet());
      merges.addAll(tree.merges(request.maxChain()));
      tree.carried()
          .forEach((point, why) -> {
            carried.add(point);
            reasonsOf(point).add("disk " + disk + " stays stored: " + why);
          });
    }
    merges.forEach(merge -> absorbed.addAll(merge.absorbed()));
    merges.sort(Comparator.comparing(DiskMerge::target));
    List<PointId> removals = new ArrayList<>(going);
    removals.removeAll(carried);
    Collections.reverse(removals);
    return new PrunePlan(
        catalogue.vm(), fates(going, carried, absorbed), drops(going), merges, removals);
  }

  private Set<DiskName> disks() {
    return catalogue.all().stream()
        .flatMap(stored -> stored.manifest().disks().stream())
        .map(disk -> disk.name())
        .collect(
            Collectors.toCollection(() -> new TreeSet<>(Comparator.comparing(DiskName::value))));
  }

  /** The points that are to go, oldest first: those marked before, and those judged now. */
  private Set<PointId> going() {
    Set<PointId> going = new TreeSet<>();
    for (StoredManifest stored : catalogue.all()) {
      if (stored.manifest().dropped()) {
        going.add(stored.manifest().point());
        reasonsOf(stored.manifest().point()).add("was dropped before");
      }
    }
    List<RetentionPoint> points = catalogue.points().stream().map(this::judged).toList();
    RetentionPlan verdicts = Retention.judge(points, request.policy(), now);
    for (Verdict verdict : verdicts.verdicts()) {
      PointId point = new PointId(verdict.point().id());
      verdict.reasons().forEach(reason -> reasonsOf(point).add(reason.toString()));
      if (verdict instanceof Verdict.Remove) {
        if (mayBeNeeded(point)) {
          reasonsOf(point).add("stays: a later point's manifest can't be read and may need it");
        } else {
          going.add(point);
        }
      }
    }
    return going;
  }

  /** A manifest that can't be read may name any older point as its parent. */
  private boolean mayBeNeeded(PointId point) {
    return catalogue.unreadable().stream().anyMatch(u -> u.point().compareTo(point) > 0);
  }

  private RetentionPoint judged(Manifest point) {
    return new RetentionPoint(
        point.point().value(),
        point.time(),
        point.labels(),
        point.pinned(),
        broken.containsKey(point.point()) ? Health.DAMAGED : Health.GOOD);
  }

  private List<String> reasonsOf(PointId point) {
    return reasons.computeIfAbsent(point, _ -> new ArrayList<>());
  }

  private List<PointId> drops(Set<PointId> going) {
    return catalogue.points().stream().map(Manifest::point).filter(going::contains).toList();
  }

  private List<PointFate> fates(Set<PointId> going, Set<PointId> carried, Set<PointId> absorbed) {
    List<PointFate> fates = new ArrayList<>();
    for (StoredManifest stored : catalogue.all().reversed()) {
      PointId point = stored.manifest().point();
      PointFate.Kind kind =
          !going.contains(point)
              ? PointFate.Kind.KEEP
              : carried.contains(point)
                  ? PointFate.Kind.CARRY
                  : absorbed.contains(point) ? PointFate.Kind.MERGE : PointFate.Kind.REMOVE;
      fates.add(new PointFate(point, stored.manifest().time(), kind, reasonsOf(point)));
    }
    return fates;
  }
}
