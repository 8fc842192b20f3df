package dev.cowbell.agent.verify;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskChain.Link;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredChain;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.overlay.OverlayTables;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Where the disks of two points may differ, as their overlays' tables tell: wherever an overlay
 * that only one of the two chains has says something, and behind the smaller disk's end.
 */
public record PointDifference(PointId from, PointId to, List<DiskDifference> disks) {

  /**
   * One disk's part.
   *
   * @param extents everything outside of them is the same at both points
   */
  public record DiskDifference(DiskName disk, ExtentSet extents) {}

  public PointDifference {
    disks = List.copyOf(disks);
  }

  /**
   * Compares two points.
   *
   * @param disk the only disk to compare; empty for all that both have
   */
  public static PointDifference between(
      Repository repository, VmName vm, String from, String to, Optional<DiskName> disk)
      throws IOException {
    Catalogue catalogue = repository.catalogue(vm);
    Manifest one = catalogue.resolve(from);
    Manifest other = catalogue.resolve(to);
    List<DiskName> names =
        disk.map(List::of)
            .orElseGet(() ->
                one.disks().stream()
                    .map(DiskRecord::name)
                    .filter(name -> other.disk(name).isPresent())
                    .toList());
    if (names.isEmpty()) {
      throw new NotFoundException(
          "points %s and %s have no disk in common".formatted(one.point(), other.point()));
    }
    List<DiskDifference> disks = new ArrayList<>();
    for (DiskName name : names) {
      disks.add(
          new DiskDifference(
              name, between(repository, catalogue.chain(one, name), catalogue.chain(other, name))));
    }
    return new PointDifference(one.point(), other.point(), disks);
  }

  private static ExtentSet between(Repository repository, DiskChain one, DiskChain other)
      throws IOException {
    long oneSize = one.top().record().virtualSize();
    long otherSize = other.top().record().virtualSize();
    long smaller = Math.min(oneSize, otherSize);
    long larger = Math.max(oneSize, otherSize);
    ExtentSet differing = ExtentSet.of(smaller, larger - smaller);
    List<Link> links = new ArrayList<>(one.links());
    links.removeAll(other.links());
    List<Link> otherLinks = new ArrayList<>(other.links());
    otherLinks.removeAll(one.links());
    links.addAll(otherLinks);
    if (!links.isEmpty()) {
      StoredChain stored = StoredChain.open(repository.store(), links);
      for (OverlayTables overlay : stored.chain().overlays()) {
        differing = differing.union(mentioned(overlay));
      }
    }
    return differing.clip(0, larger);
  }

  /** The guest bytes that an overlay says something about. */
  private static ExtentSet mentioned(OverlayTables overlay) throws IOException {
    ExtentSet.Builder mentioned = ExtentSet.builder();
    int perTable = overlay.geometry().l2Entries();
    int clusterBits = overlay.geometry().clusterBits();
    long[] entries = new long[perTable];
    for (long table = overlay.nextTable(0); table >= 0; table = overlay.nextTable(table + 1)) {
      overlay.readEntries(table * perTable, perTable, entries);
      for (int i = 0; i < perTable; i++) {
        if (entries[i] != 0) {
          mentioned.add((table * perTable + i) << clusterBits, 1L << clusterBits);
        }
      }
    }
    return mentioned.build();
  }
}
