package dev.cowbell.agent.backup;

import dev.cowbell.agent.backup.BackupPlan.DiskPlan;
import dev.cowbell.agent.repository.CommitUnknownException;
import dev.cowbell.agent.repository.Consistency;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.Lease;
import dev.cowbell.agent.repository.LeaseHeldException;
import dev.cowbell.agent.repository.LeaseTerms;
import dev.cowbell.agent.repository.Leases;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.source.OfflineImage;
import dev.cowbell.agent.source.OfflineImages;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.PreconditionFailedException;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Makes a restore point of offline images, in the steps of {@code docs/tracking.md}: lock, plan,
 * track, copy, commit, retire, unlock. What fails before the commit leaves every image with the
 * bitmap it had, so the next backup is incremental again.
 */
public final class Backup {

  private final Repository repository;
  private final BackupSettings settings;

  public Backup(Repository repository, BackupSettings settings) {
    this.repository = repository;
    this.settings = settings;
  }

  /** What {@link #run} would do now. Changes nothing. */
  public BackupPlan plan(BackupRequest request) throws IOException {
    request.check();
    try (OfflineImages images = OfflineImages.open(request.images(), OfflineImages.Access.READ)) {
      return planner(request).plan(images);
    }
  }

  /**
   * Makes the point.
   *
   * @throws CommitUnknownException if nobody knows whether it exists now
   * @throws LeaseHeldException if somebody else writes to the VM's points
   */
  public BackupResult run(BackupRequest request) throws IOException {
    request.check();
    try (OfflineImages images = OfflineImages.open(request.images(), OfflineImages.Access.TRACK);
        Lease lease = leases().acquire(request.vm(), "backup")) {
      settings.moments().reached(Moment.LOCKED);
      BackupPlan open = planner(request).plan(images);
      lease.announce(open.point());
      BackupPlan plan =
          new Rescan(repository, settings, request.provePercent()).resolve(open, images);
      settings.moments().reached(Moment.PLANNED);
      return new Run(request, plan, images, lease).run();
    }
  }

  private Leases leases() {
    return new Leases(repository, new LeaseTerms(settings.clock(), settings.host()));
  }

  private BackupPlanner planner(BackupRequest request) {
    return new BackupPlanner(repository, request, settings.ids());
  }

  /** One backup under way. */
  private final class Run {
    private final BackupRequest request;
    private final BackupPlan plan;
    private final OfflineImages images;
    private final Lease lease;
    private final Instant started = settings.clock().instant();
    private final Map<DiskPlan, TrackingRecord> added = new LinkedHashMap<>();
    private final List<ObjectKey> stored = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();

    Run(BackupRequest request, BackupPlan plan, OfflineImages images, Lease lease) {
      this.lease = lease;
      this.request = request;
      this.plan = plan;
      this.images = images;
    }

    BackupResult run() throws IOException {
      Manifest manifest;
      try {
        track();
        manifest = manifest(copy());
        settings.cancellation().check();
        settings.moments().reached(Moment.COMMITTING);
        lease.check();
        repository.commit(manifest);
      } catch (CommitUnknownException e) {
        lease.leaveUnsettled();
        throw e;
      } catch (PreconditionFailedException e) {
        // the id may be another writer's: whatever lies under its keys may be theirs
        untrack(e);
        throw e;
      } catch (IOException | RuntimeException e) {
        untrack(e);
        unstore(e);
        throw e;
      }
      settings.moments().reached(Moment.COMMITTED);
      retire();
      List<String> notes = new ArrayList<>();
      for (DiskPlan disk : plan.disks()) {
        notes.addAll(disk.notes());
        warnings.addAll(disk.warnings());
      }
      return new BackupResult(manifest, notes, warnings);
    }

    private void track() throws IOException {
      for (DiskPlan disk : plan.disks()) {
        settings.cancellation().check();
        if (disk.tracking().isPresent()) {
          track(disk, disk.tracking().get());
        }
      }
    }

    /** A host disk that is full must not keep its guest's disk from being backed up. */
    private void track(DiskPlan disk, TrackingRecord tracking) {
      try {
        image(disk).addBitmap(tracking);
        added.put(disk, tracking);
        settings.moments().reached(Moment.TRACKED);
      } catch (IOException e) {
        warnings.add(
            "disk %s: bitmap %s could not be added, so the next backup won't know what changes"
                    .formatted(disk.disk(), tracking.bitmap())
                + " from now on: "
                + e.getMessage());
      }
    }

    private List<DiskRecord> copy() throws IOException {
      List<DiskRecord> records = new ArrayList<>();
      for (DiskPlan disk : plan.disks()) {
        settings.cancellation().check();
        stored.add(Layout.overlay(plan.vm(), disk.disk(), plan.point()));
        stored.add(Layout.digests(plan.vm(), disk.disk(), plan.point()));
        records.add(
            new DiskCopy(repository, settings, plan, disk)
                .copy(image(disk), Optional.ofNullable(added.get(disk))));
        settings.moments().reached(Moment.COPIED);
      }
      return records;
    }

    private Manifest manifest(List<DiskRecord> disks) {
      return new Manifest(
              repository.descriptor().id(),
              plan.vm(),
              plan.point(),
              started,
              Consistency.OFFLINE,
              request.labels(),
              false,
              settings.version(),
              settings.host(),
              disks)
          .withEpoch(lease.epoch());
    }

    private void retire() {
      added.forEach((disk, tracking) -> {
        try {
          image(disk).removeBitmapsBut(tracking);
          settings.moments().reached(Moment.RETIRED);
        } catch (IOException e) {
          warnings.add(
              "disk %s: old bitmaps could not be removed, the next backup tries again: %s"
                  .formatted(disk.disk(), e.getMessage()));
        }
      });
    }

    private void untrack(Exception failure) {
      added.forEach((disk, tracking) -> {
        try {
          image(disk).removeBitmap(tracking);
        } catch (IOException | RuntimeException e) {
          failure.addSuppressed(e);
        }
      });
    }

    private void unstore(Exception failure) {
      try {
        repository.store().delete(stored);
      } catch (IOException | RuntimeException e) {
        failure.addSuppressed(e);
      }
    }

    private OfflineImage image(DiskPlan disk) {
      return images.of(disk.disk());
    }
  }
}
