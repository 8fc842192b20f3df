package dev.cowbell.agent.prune;

import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.StoredManifest;
import dev.cowbell.qcow2.overlay.OverlayMerge;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/**
 * One disk's overlays as its manifests chain them. A point that goes is taken in by its child. With
 * several children (history forked when an older point was restored and backed up again) its
 * overlay stays until one is left: taken in by each, its bytes would be stored as often.
 */
final class DiskTree {

  private final Set<PointId> going;
  private final Set<PointId> broken;
  private final TreeMap<PointId, DiskRecord> records = new TreeMap<>();

  /** How many points build upon each directly, of those whose overlays stay or are taken in. */
  private final Map<PointId, Integer> users = new HashMap<>();

  private final Map<PointId, String> carried = new TreeMap<>();

  DiskTree(Catalogue catalogue, DiskName disk, Set<PointId> going, Set<PointId> broken) {
    this.going = going;
    this.broken = broken;
    for (StoredManifest stored : catalogue.all()) {
      stored
          .manifest()
          .disk(disk)
          .ifPresent(record -> records.put(stored.manifest().point(), record));
    }
    // a child's id is greater than its parent's, so it is counted before its parent is asked
    for (PointId point : records.descendingKeySet()) {
      if (isNeeded(point)) {
        parent(point).ifPresent(below -> users.merge(below, 1, Integer::sum));
      }
    }
  }

  private boolean isNeeded(PointId point) {
    return !going.contains(point) || users.containsKey(point);
  }

  private Optional<PointId> parent(PointId point) {
    DiskRecord record = records.get(point);
    return record == null ? Optional.empty() : record.parent();
  }

  /** Whether the only child of a point that goes can take it in. */
  private boolean isTakenIn(PointId point) {
    return records.containsKey(point)
        && going.contains(point)
        && users.getOrDefault(point, 0) == 1
        && !carried.containsKey(point);
  }

  /** The points that go whose overlays stay, and why. Complete after {@link #merges}. */
  Map<PointId, String> carried() {
    return carried;
  }

  /** What to merge so that points go and no chain is longer than asked; a parent's first. */
  List<DiskMerge> merges(OptionalInt maxChain) {
    users.forEach((point, count) -> {
      if (count > 1 && going.contains(point)) {
        carried.put(
            point,
            "%d branches build upon it, and merged into each it would be stored %d times"
                .formatted(count, count));
      }
    });
    Map<PointId, List<PointId>> takenIn = new TreeMap<>();
    for (PointId point : records.keySet()) {
      if (isNeeded(point) && !isTakenIn(point)) {
        takenIn.put(point, takenInBy(point));
      }
    }
    carried.keySet().forEach(point -> takenIn.putIfAbsent(point, List.of()));
    List<DiskMerge> merges = new ArrayList<>();
    Map<PointId, Integer> depths = new HashMap<>();
    takenIn.forEach(
        (target, absorbed) -> plan(target, absorbed, maxChain, depths).ifPresent(merges::add));
    return merges;
  }

  private List<PointId> takenInBy(PointId target) {
    List<PointId> absorbed = new ArrayList<>();
    List<Long> sizes = new ArrayList<>(List.of(size(target)));
    Optional<PointId> below = parent(target);
    while (below.isPresent() && isTakenIn(below.get())) {
      absorbed.add(below.get());
      sizes.add(size(below.get()));
      below = parent(below.get());
    }
    below.filter(records::containsKey).ifPresent(parent -> sizes.add(size(parent)));
    String obstacle = null;
    if (broken.contains(target)) {
      obstacle = "the chain of point " + target + " is damaged";
    }
    while (!absorbed.isEmpty()) {
      Optional<String> shrunk = OverlayMerge.obstacle(sizes, absorbed.size() + 1);
      if (obstacle == null && shrunk.isEmpty()) {
        break;
      }
      carried.put(absorbed.removeLast(), obstacle != null ? obstacle : shrunk.get());
    }
    return absorbed;
  }

  private long size(PointId point) {
    DiskRecord record = records.get(point);
    return record == null ? 0 : record.virtualSize();
  }

  private long storedBytes(PointId point) {
    DiskRecord record = records.get(point);
    return record == null ? 0 : record.overlay().size();
  }

  private Optional<DiskMerge> plan(
      PointId target, List<PointId> absorbed, OptionalInt maxChain, Map<PointId, Integer> depths) {
    DiskName disk = record(target).name();
    Optional<PointId> below = parent(absorbed.isEmpty() ? target : absorbed.getLast());
    int depth = below.map(b -> depths.getOrDefault(b, 0)).orElse(0) + 1;
    if (maxChain.isPresent() && depth > maxChain.getAsInt() && !broken.contains(target)) {
      Optional<DiskMerge> shorter = shortened(target, depth, maxChain.getAsInt(), depths);
      if (shorter.isPresent()) {
        return shorter;
      }
    }
    depths.put(target, depth);
    return absorbed.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new DiskMerge(
                disk,
                target,
                below,
                absorbed,
                "takes in %d points that go".formatted(absorbed.size())));
  }

  private DiskRecord record(PointId point) {
    DiskRecord record = records.get(point);
    if (record == null) {
      throw new IllegalStateException("point " + point + " does not have the disk");
    }
    return record;
  }

  /**
   * Puts a point directly upon its chain's full one, or makes it full: whichever stores less, as
   * far as that can be told from the lengths of what it takes in.
   */
  private Optional<DiskMerge> shortened(
      PointId target, int depth, int most, Map<PointId, Integer> depths) {
    List<PointId> ancestors = new ArrayList<>();
    List<Long> sizes = new ArrayList<>(List.of(size(target)));
    for (Optional<PointId> below = parent(target); below.isPresent(); ) {
      ancestors.add(below.get());
      sizes.add(size(below.get()));
      below = parent(below.get());
    }
    PointId root = ancestors.getLast();
    long between = storedBytes(target);
    for (PointId ancestor : ancestors.subList(0, ancestors.size() - 1)) {
      between += storedBytes(ancestor);
    }
    boolean upon = most > 1 && between < storedBytes(root) && depths.getOrDefault(root, 0) == 1;
    List<PointId> absorbed = upon ? ancestors.subList(0, ancestors.size() - 1) : ancestors;
    if (OverlayMerge.obstacle(sizes, absorbed.size() + 1).isPresent()) {
      return Optional.empty();
    }
    depths.put(target, upon ? 2 : 1);
    return Optional.of(
        new DiskMerge(
            record(target).name(),
            target,
            upon ? Optional.of(root) : Optional.empty(),
            absorbed,
            "its chain of %d would be longer than %d: it becomes %s"
                .formatted(depth, most, upon ? "an increment upon " + root : "a full")));
  }
}
