package dev.cowbell.agent.prune;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.prune.PruneReport.MergeDone;
import dev.cowbell.agent.repository.BrokenChainException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.Lease;
import dev.cowbell.agent.repository.LeaseTerms;
import dev.cowbell.agent.repository.Leases;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Reach;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredManifest;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.PreconditionFailedException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Removes the points that no rule keeps, in the steps of docs/prune.md: lease, recover, plan, drop,
 * merge, remove, sweep. Killed anywhere, the next run finishes.
 */
public final class Prune {

  private static final int TRIES = 3;

  private final Repository repository;
  private final PruneSettings settings;

  public Prune(Repository repository, PruneSettings settings) {
    this.repository = repository;
    this.settings = settings;
  }

  /** What {@link #run} would do now, and what that would cost. Changes nothing. */
  public PruneReport plan(VmName vm, PruneRequest request) throws IOException {
    requirePresent(vm);
    Catalogue catalogue = repository.catalogue(vm);
    PrunePlan plan = plan(catalogue, request);
    List<String> problems = new ArrayList<>();
    List<MergeDone> merges = new ArrayList<>();
    try (CodecPool pool = new CodecPool(1)) {
      ChainMerger merger = new ChainMerger(repository, settings, pool);
      for (DiskMerge merge : plan.merges()) {
        settings.cancellation().check();
        try {
          merges.add(new MergeDone(merge, merger.cost(catalogue, merge)));
        } catch (DamagedObjectException | BrokenChainException e) {
          problems.add(String.valueOf(e.getMessage()));
        }
      }
    }
    List<ObjectKey> leftovers =
        new Sweep(repository.store(), request.sweepAge(), settings.clock().instant())
            .leftovers(catalogue);
    return new PruneReport(plan, merges, plan.removals(), leftovers, 0, problems);
  }

  /**
   * Prunes a VM's points.
   *
   * @throws dev.cowbell.agent.repository.LeaseHeldException if somebody else writes to them
   */
  public PruneReport run(VmName vm, PruneRequest request) throws IOException {
    requirePresent(vm);
    LeaseTerms terms = new LeaseTerms(settings.clock(), settings.host());
    try (Lease lease = new Leases(repository, terms).acquire(vm, "prune");
        CodecPool pool = CodecPool.ofAllCores()) {
      settings.moments().reached(PruneMoment.LEASED);
      for (int tries = 1; ; tries++) {
        try {
          return new Run(vm, request, lease, pool).run();
        } catch (PreconditionFailedException e) {
          // somebody pinned a point meanwhile, or a writer without a right to was stopped
          if (tries == TRIES) {
            throw e;
          }
        }
      }
    }
  }

  /** A name that was mistyped must not get a lease, and so come to exist. */
  private void requirePresent(VmName vm) throws IOException {
    try (Stream<ObjectInfo> objects = repository.store().list(Layout.VMS + vm + "/")) {
      if (objects.findFirst().isEmpty()) {
        throw new NotFoundException("VM %s has no restore points".formatted(vm));
      }
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
  }

  private PrunePlan plan(Catalogue catalogue, PruneRequest request) throws IOException {
    Instant now = settings.clock().instant();
    return new PrunePlanner(catalogue, request, broken(catalogue), now).plan();
  }

  /** The points that can't be restored, as far as a listing and the manifests tell. */
  private Map<PointId, String> broken(Catalogue catalogue) throws IOException {
    Map<ObjectKey, Long> sizes = new HashMap<>();
    try (Stream<ObjectInfo> objects = repository.store().list(Layout.disks(catalogue.vm()))) {
      objects.forEach(object -> sizes.put(object.key(), object.size()));
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
    Map<PointId, String> broken = new TreeMap<>();
    Reach reach = new Reach(catalogue);
    for (StoredManifest stored : catalogue.all()) {
      Manifest point = stored.manifest();
      for (DiskRecord disk : point.disks()) {
        Long size = sizes.get(disk.overlay().key());
        if (size == null || !disk.overlay().mayHaveSize(size)) {
          String problem =
              disk.overlay().key() + (size == null ? " is missing" : " has another length");
          reach.ofOverlay(point.point(), disk.name()).forEach(p -> broken.put(p, problem));
        }
        try {
          catalogue.chain(point, disk.name());
        } catch (BrokenChainException e) {
          broken.put(point.point(), String.valueOf(e.getMessage()));
        }
      }
    }
    return broken;
  }

  /** One prune under way. */
  private final class Run {
    private final VmName vm;
    private final PruneRequest request;
    private final Lease lease;
    private final ChainMerger merger;
    private final List<MergeDone> merges = new ArrayList<>();
    private final List<PointId> removed = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();

    Run(VmName vm, PruneRequest request, Lease lease, CodecPool pool) {
      this.vm = vm;
      this.request = request;
      this.lease = lease;
      this.merger = new ChainMerger(repository, settings, pool);
    }

    PruneReport run() throws IOException {
      recover();
      settings.moments().reached(PruneMoment.RECOVERED);
      Catalogue catalogue = repository.catalogue(vm);
      PrunePlan plan = plan(catalogue, request);
      drop(catalogue, plan);
      for (DiskMerge merge : plan.merges()) {
        settings.cancellation().check();
        merge(merge);
      }
      remove(plan);
      lease.check();
      Sweep sweep = new Sweep(repository.store(), request.sweepAge(), settings.clock().instant());
      List<ObjectKey> leftovers = sweep.leftovers(repository.catalogue(vm));
      repository.store().delete(leftovers);
      int uploads = sweep.uploads(vm);
      settings.moments().reached(PruneMoment.SWEPT);
      return new PruneReport(plan, merges, removed, leftovers, uploads, problems);
    }

    private void recover() throws IOException {
      for (StoredManifest found : repository.catalogue(vm).all()) {
        StoredManifest stored = found;
        for (DiskRecord disk : found.manifest().disks()) {
          if (!disk.overlay().successors().isEmpty()) {
            lease.check();
            stored = settled(stored, disk);
          }
        }
      }
    }

    private StoredManifest settled(StoredManifest stored, DiskRecord disk) throws IOException {
      try {
        return merger.settle(stored, disk, lease);
      } catch (DamagedObjectException e) {
        problems.add(e.getMessage() + "; what it was merged from stays");
        return stored;
      }
    }

    private void drop(Catalogue catalogue, PrunePlan plan) throws IOException {
      for (StoredManifest stored : catalogue.all()) {
        if (plan.drops().contains(stored.manifest().point())) {
          settings.cancellation().check();
          lease.check();
          repository.replace(stored, stored.manifest().asDropped(lease.epoch()));
          settings.moments().reached(PruneMoment.DROPPED);
        }
      }
    }

    private void merge(DiskMerge merge) throws IOException {
      try {
        merges.add(new MergeDone(merge, merger.run(repository.catalogue(vm), merge, lease)));
      } catch (DamagedObjectException | BrokenChainException e) {
        problems.add(
            "disk %s of point %s is not merged with what is below it: %s"
                .formatted(merge.disk(), merge.target(), e.getMessage()));
      }
    }

    /** Removes what no manifest builds upon any more; manifests first, then what they name. */
    private void remove(PrunePlan plan) throws IOException {
      Catalogue catalogue = repository.catalogue(vm);
      Set<PointId> there = new HashSet<>();
      catalogue.all().forEach(stored -> there.add(stored.manifest().point()));
      for (PointId point : plan.removals()) {
        settings.cancellation().check();
        boolean needed =
            catalogue.all().stream()
                .map(StoredManifest::manifest)
                .filter(m -> there.contains(m.point()))
                .flatMap(m -> m.disks().stream())
                .anyMatch(disk -> disk.parent().filter(point::equals).isPresent());
        boolean mayBeNeeded =
            catalogue.unreadable().stream().anyMatch(u -> u.point().compareTo(point) > 0);
        if (!needed && !mayBeNeeded) {
          remove(catalogue, point);
          there.remove(point);
        }
      }
    }

    private void remove(Catalogue catalogue, PointId point) throws IOException {
      List<ObjectKey> objects = new ArrayList<>();
      for (StoredManifest stored : catalogue.all()) {
        if (stored.manifest().point().equals(point) && stored.manifest().dropped()) {
          for (DiskRecord disk : stored.manifest().disks()) {
            objects.add(disk.overlay().key());
            objects.add(Layout.digests(vm, disk.name(), point));
          }
        }
      }
      if (objects.isEmpty()) {
        return;
      }
      lease.check();
      repository.store().delete(List.of(Layout.manifest(vm, point)));
      settings.moments().reached(PruneMoment.UNLISTED);
      repository.store().delete(objects);
      removed.add(point);
      settings.moments().reached(PruneMoment.REMOVED);
    }
  }
}
