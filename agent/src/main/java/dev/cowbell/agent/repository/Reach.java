package dev.cowbell.agent.repository;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Which points an object's loss touches: every point whose chain runs through it. */
public final class Reach {

  private final Catalogue catalogue;

  public Reach(Catalogue catalogue) {
    this.catalogue = catalogue;
  }

  /** The points that need a point's overlay of one disk, that point included; oldest first. */
  public List<PointId> ofOverlay(PointId point, DiskName disk) {
    Set<PointId> reached = new HashSet<>(Set.of(point));
    // a child's id is greater than its parent's, so one pass in the order of ids finds all
    for (StoredManifest stored : catalogue.all()) {
      Manifest later = stored.manifest();
      later
          .disk(disk)
          .flatMap(DiskRecord::parent)
          .filter(reached::contains)
          .ifPresent(_ -> reached.add(later.point()));
    }
    return List.copyOf(new TreeSet<>(reached));
  }

  /** The points that can't be restored when a manifest is lost; oldest first. */
  public List<PointId> ofManifest(PointId point) {
    TreeSet<PointId> reached = new TreeSet<>(Set.of(point));
    Set<DiskName> disks = new HashSet<>();
    for (Manifest known : catalogue.points()) {
      known.disks().forEach(disk -> disks.add(disk.name()));
    }
    for (DiskName disk : disks) {
      reached.addAll(ofOverlay(point, disk));
    }
    return List.copyOf(reached);
  }
}
