package dev.cowbell.agent.repository;

import static java.time.temporal.ChronoUnit.SECONDS;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** The points of one VM as they were when its manifests were read, in the order of their ids. */
public final class Catalogue {

  /** What was found under one point's key. */
  sealed interface Entry permits Known, Unreadable, Voided {
    PointId point();
  }

  record Known(StoredManifest stored) implements Entry {
    @Override
    public PointId point() {
      return stored.manifest().point();
    }
  }

  /**
   * A manifest that can't be used.
   *
   * @param problem what was found and what is allowed
   */
  public record Unreadable(PointId point, ObjectKey key, String problem) implements Entry {}

  /**
   * A point that was given up: the document stands where its manifest would, so that a writer who
   * comes late can't put it there any more.
   */
  public record Voided(PointId point, ObjectInfo object) implements Entry {}

  private static final int MAX_NAMED = 5;

  private final VmName vm;
  private final List<Manifest> points;
  private final List<StoredManifest> all;
  private final List<Unreadable> unreadable;
  private final List<Voided> voided;
  private final Map<PointId, Manifest> byId = new HashMap<>();

  private Catalogue(
      VmName vm, List<StoredManifest> all, List<Unreadable> unreadable, List<Voided> voided) {
    this.vm = vm;
    this.all = List.copyOf(all);
    this.unreadable = List.copyOf(unreadable);
    this.voided = List.copyOf(voided);
    this.points =
        all.stream().map(StoredManifest::manifest).filter(point -> !point.dropped()).toList();
    all.forEach(stored -> byId.put(stored.manifest().point(), stored.manifest()));
  }

  static Catalogue of(VmName vm, List<Optional<Entry>> found) {
    List<StoredManifest> all = new ArrayList<>();
    List<Unreadable> unreadable = new ArrayList<>();
    List<Voided> voided = new ArrayList<>();
    found.stream()
        .flatMap(Optional::stream)
        .sorted(Comparator.comparing(Entry::point))
        .forEach(entry -> {
          switch (entry) {
            case Known(StoredManifest stored) -> all.add(stored);
            case Unreadable bad -> unreadable.add(bad);
            case Voided gone -> voided.add(gone);
          }
        });
    return new Catalogue(vm, all, unreadable, voided);
  }

  public VmName vm() {
    return vm;
  }

  /** The points that can be restored, oldest first. */
  public List<Manifest> points() {
    return points;
  }

  /** Every readable manifest, oldest first: those of dropped points too. */
  public List<StoredManifest> all() {
    return all;
  }

  /** Points that were given up, oldest first. */
  public List<Voided> voided() {
    return voided;
  }

  /** Manifests that are there and can't be used, oldest first. */
  public List<Unreadable> unreadable() {
    return unreadable;
  }

  /** The greatest id in use, readable or not. */
  public Optional<PointId> newestId() {
    return Stream.of(
            all.stream().map(stored -> stored.manifest().point()),
            unreadable.stream().map(Unreadable::point),
            voided.stream().map(Voided::point))
        .flatMap(ids -> ids)
        .max(Comparator.naturalOrder());
  }

  public Optional<Manifest> find(PointId point) {
    return Optional.ofNullable(byId.get(point)).filter(found -> !found.dropped());
  }

  /** The newest readable point that has the disk. */
  public Optional<Manifest> newestOf(DiskName disk) {
    return points.reversed().stream().filter(p -> p.disk(disk).isPresent()).findFirst();
  }

  /**
   * The point that the user means.
   *
   * @param named {@code latest}, an id, or the beginning of exactly one
   * @throws NotFoundException if there is none, or if there are several
   */
  public Manifest resolve(String named) throws NotFoundException {
    if (named.equals("latest")) {
      return latest();
    }
    List<Manifest> matches =
        points.stream().filter(p -> p.point().value().startsWith(named)).toList();
    if (matches.size() == 1 && !named.isEmpty()) {
      return matches.getFirst();
    }
    Optional<Unreadable> bad =
        unreadable.stream().filter(u -> u.point().value().equals(named)).findFirst();
    if (bad.isPresent()) {
      throw new NotFoundException(
          "the manifest of point %s can't be read: %s: %s"
              .formatted(named, bad.get().key(), bad.get().problem()));
    }
    throw new NotFoundException(
        matches.isEmpty()
            ? "VM %s has no point \"%s\"".formatted(vm, Names.shown(named))
            : "VM %s has %d points that begin with \"%s\": %s"
                .formatted(
                    vm,
                    matches.size(),
                    Names.shown(named),
                    String.join(
                        ", ",
                        matches.stream().limit(MAX_NAMED).map(p -> p.point().value()).toList())),
        "cowbell points lists them");
  }

  private Manifest latest() throws NotFoundException {
    if (points.isEmpty()) {
      throw none();
    }
    Manifest latest = points.getLast();
    Optional<PointId> newest =
        unreadable.stream().map(Unreadable::point).max(Comparator.naturalOrder());
    if (newest.isPresent() && newest.get().compareTo(latest.point()) > 0) {
      throw new NotFoundException(
          "the manifest of the latest point, %s, can't be read".formatted(newest.get()),
          "verify says why; name an older point to use that one, such as " + latest.point());
    }
    return latest;
  }

  /**
   * The newest point that is not younger than a moment.
   *
   * @throws NotFoundException if all are
   */
  public Manifest at(Instant moment) throws NotFoundException {
    if (points.isEmpty()) {
      throw none();
    }
    return points.reversed().stream()
        .filter(p -> !p.time().isAfter(moment))
        .findFirst()
        .orElseThrow(() ->
            new NotFoundException(
                "VM %s has no point as old as %s; the oldest is of %s"
                    .formatted(vm, moment, points.getFirst().time().truncatedTo(SECONDS))));
  }

  private NotFoundException none() {
    return new NotFoundException(
        unreadable.isEmpty()
            ? "VM %s has no restore points".formatted(vm)
            : "VM %s has no restore point with a readable manifest".formatted(vm));
  }

  /**
   * The overlays that make up a disk at a point.
   *
   * @throws BrokenChainException if a point below is missing or unreadable
   * @throws NotFoundException if the point does not have the disk
   */
  public DiskChain chain(Manifest point, DiskName disk) throws IOException {
    List<DiskChain.Link> links = new ArrayList<>();
    Manifest at = point;
    while (true) {
      DiskRecord record = at.disk(disk).orElse(null);
      if (record == null) {
        throw links.isEmpty()
            ? new NotFoundException("point %s has no disk %s".formatted(at.point(), disk))
            : new BrokenChainException(
                disk, Layout.manifest(vm, at.point()), "does not have the disk");
      }
      links.add(new DiskChain.Link(at.point(), record));
      if (record.parent().isEmpty()) {
        return new DiskChain(vm, disk, links);
      }
      // ends: a parent's id is smaller than its child's, which the manifest's record checks
      PointId parent = record.parent().get();
      Manifest below = byId.get(parent);
      if (below == null) {
        throw new BrokenChainException(disk, Layout.manifest(vm, parent), problemOf(parent));
      }
      at = below;
    }
  }

  /** The number of overlays that make up a disk at a point; empty if one is missing. */
  public Optional<Integer> chainLength(Manifest point, DiskName disk) {
    try {
      return Optional.of(chain(point, disk).length());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private String problemOf(PointId point) {
    return unreadable.stream()
        .filter(u -> u.point().equals(point))
        .map(Unreadable::problem)
        .findFirst()
        .orElse("is missing");
  }
}
