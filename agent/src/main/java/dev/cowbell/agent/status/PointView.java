package dev.cowbell.agent.status;

import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A restore point as people look at it.
 *
 * @param parent the newest point that one of its disks builds upon; empty for a full
 * @param chain how many overlays its longest chain has; empty if a chain is broken
 */
public record PointView(
    PointId id,
    Instant time,
    boolean full,
    Optional<PointId> parent,
    long storedBytes,
    long changedBytes,
    OptionalInt chain,
    boolean pinned,
    Map<String, String> labels) {

  static PointView of(Catalogue catalogue, Manifest point) {
    int longest = 0;
    for (DiskRecord disk : point.disks()) {
      Optional<Integer> length = catalogue.chainLength(point, disk.name());
      longest = length.isEmpty() ? -1 : longest < 0 ? -1 : Math.max(longest, length.get());
    }
    return new PointView(
        point.point(),
        point.time(),
        point.disks().stream().allMatch(disk -> disk.parent().isEmpty()),
        point.disks().stream().flatMap(disk -> disk.parent().stream()).max(PointId::compareTo),
        point.storedBytes(),
        point.changedBytes(),
        longest < 0 ? OptionalInt.empty() : OptionalInt.of(longest),
        point.pinned(),
        point.labels());
  }
}
