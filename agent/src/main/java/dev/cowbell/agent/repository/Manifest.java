package dev.cowbell.agent.repository;

import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

/**
 * The commit record of a restore point: the point exists if and only if its manifest does.
 *
 * @param repository the repository that it belongs to
 * @param vm the VM that it is a point of
 * @param point its id
 * @param time when the disks were as the point holds them
 * @param consistency what a guest finds when it starts from it
 * @param labels the user's own, at most {@value #MAX_LABELS}
 * @param pinned whether it must never be pruned
 * @param agent the version of Cowbell that made it
 * @param host the host that it was made on
 * @param disks 1 to {@value #MAX_DISKS}, each with another name
 * @param epoch of the lease under which it was made; 0 if there was none
 * @param dropped whether the point is to go: nobody may restore it or build upon it any more, and
 *     it is there only until no chain needs its overlays
 */
public record Manifest(
    UUID repository,
    VmName vm,
    PointId point,
    Instant time,
    Consistency consistency,
    Map<String, String> labels,
    boolean pinned,
    String agent,
    String host,
    List<DiskRecord> disks,
    long epoch,
    boolean dropped) {

  public static final int MAX_DISKS = 256;
  public static final int MAX_LABELS = 64;
  static final int MAX_LABEL_NAME = 128;
  static final int MAX_LABEL_VALUE = 1024;

  public Manifest {
    labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
    disks = List.copyOf(disks);
    if (disks.isEmpty() || disks.size() > MAX_DISKS) {
      throw new IllegalArgumentException("a point has 1 to " + MAX_DISKS + " disks");
    }
    Set<DiskName> names = new HashSet<>();
    for (DiskRecord disk : disks) {
      if (!names.add(disk.name())) {
        throw new IllegalArgumentException("two disks are named " + disk.name());
      }
      if (disk.parent().isPresent() && disk.parent().get().compareTo(point) >= 0) {
        throw new IllegalArgumentException(
            "disk %s: parent %s is not older than the point"
                .formatted(disk.name(), disk.parent().get()));
      }
      if (!disk.overlay().key().equals(Layout.overlay(vm, disk.name(), point))) {
        throw new IllegalArgumentException(
            "disk %s: overlay %s is not where this point's overlay belongs"
                .formatted(disk.name(), disk.overlay().key()));
      }
    }
    checkLabels(labels);
  }

  /** A point that was made without a lease. */
  public Manifest(
      UUID repository,
      VmName vm,
      PointId point,
      Instant time,
      Consistency consistency,
      Map<String, String> labels,
      boolean pinned,
      String agent,
      String host,
      List<DiskRecord> disks) {
    this(repository, vm, point, time, consistency, labels, pinned, agent, host, disks, 0, false);
  }

  /** The same point, made under a lease of an epoch. */
  public Manifest withEpoch(long newEpoch) {
    return with(pinned, disks, newEpoch, dropped);
  }

  public Manifest withPinned(boolean nowPinned) {
    return with(nowPinned, disks, epoch, dropped);
  }

  /** The same point, on its way out. */
  public Manifest asDropped(long newEpoch) {
    return with(pinned, disks, newEpoch, true);
  }

  /** The same point with another record of one disk. */
  public Manifest withDisk(DiskRecord disk, long newEpoch) {
    return with(
        pinned,
        disks.stream().map(d -> d.name().equals(disk.name()) ? disk : d).toList(),
        newEpoch,
        dropped);
  }

  private Manifest with(
      boolean nowPinned, List<DiskRecord> newDisks, long newEpoch, boolean nowDropped) {
    return new Manifest(
        repository,
        vm,
        point,
        time,
        consistency,
        labels,
        nowPinned,
        agent,
        host,
        newDisks,
        newEpoch,
        nowDropped);
  }

  /**
   * Checks labels before they are used.
   *
   * @throws IllegalArgumentException if there are too many labels, or one is too long or unnamed
   */
  public static void checkLabels(Map<String, String> labels) {
    boolean good =
        labels.size() <= MAX_LABELS
            && labels.entrySet().stream()
                .allMatch(l ->
                    !l.getKey().isEmpty()
                        && l.getKey().length() <= MAX_LABEL_NAME
                        && l.getValue().length() <= MAX_LABEL_VALUE);
    if (!good) {
      throw new IllegalArgumentException(
          "at most %d labels, with names of 1 to %d and values of at most %d characters"
              .formatted(MAX_LABELS, MAX_LABEL_NAME, MAX_LABEL_VALUE));
    }
  }

  public PointKind kind() {
    return disks.stream().allMatch(d -> d.parent().isEmpty())
        ? PointKind.FULL
        : PointKind.INCREMENTAL;
  }

  /** The record of one disk; empty if the point does not have it. */
  public Optional<DiskRecord> disk(DiskName name) {
    return disks.stream().filter(d -> d.name().equals(name)).findFirst();
  }

  /** The bytes that the point added to the store, manifest not counted. */
  public long storedBytes() {
    return disks.stream().mapToLong(DiskRecord::storedBytes).sum();
  }

  /** The guest bytes that the point says something about. */
  public long changedBytes() {
    return disks.stream().mapToLong(d -> d.counts().changedBytes()).sum();
  }
}
