package dev.cowbell.agent.backup;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.backup.BackupPlan.DiskPlan;
import dev.cowbell.agent.backup.Verdict.BitmapUse;
import dev.cowbell.agent.backup.Verdict.Full;
import dev.cowbell.agent.backup.Verdict.Increment;
import dev.cowbell.agent.backup.Verdict.TableDifference;
import dev.cowbell.agent.repository.BrokenChainException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.ChainHealth;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.source.DiskFacts;
import dev.cowbell.agent.source.DiskFacts.Layer;
import dev.cowbell.agent.source.DiskFacts.TrackingAbility;
import dev.cowbell.agent.source.OfflineImage;
import dev.cowbell.agent.source.OfflineImages;
import dev.cowbell.bitmaps.ExtentSet;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Gathers what images and repository show, has it decided, and lays out what is to be done. */
final class BackupPlanner {

  private static final long DEFAULT_GRANULARITY = 64 << 10;

  private final Repository repository;
  private final BackupRequest request;
  private final PointIds ids;

  BackupPlanner(Repository repository, BackupRequest request, PointIds ids) {
    this.repository = repository;
    this.request = request;
    this.ids = ids;
  }

  BackupPlan plan(OfflineImages images) throws IOException {
    Catalogue catalogue = repository.catalogue(request.vm());
    PointId point = ids.next(catalogue.newestId());
    List<DiskPlan> disks = new ArrayList<>();
    for (BackupRequest.Disk disk : request.disks()) {
      disks.add(plan(catalogue, point, images.of(disk.name())));
    }
    return new BackupPlan(request.vm(), point, disks);
  }

  private DiskPlan plan(Catalogue catalogue, PointId point, OfflineImage image) throws IOException {
    DiskFacts facts = image.facts(request.userBitmap());
    if (request.userBitmap().isPresent()
        && facts.layers().getFirst().bitmap(request.userBitmap().get()).isEmpty()) {
      throw new RefusedException(
          "disk %s: the image has no bitmap \"%s\""
              .formatted(facts.disk(), request.userBitmap().get()),
          "cowbell image info lists them");
    }
    Verdict verdict = verdict(catalogue, facts);
    List<String> notes = new ArrayList<>();
    for (Catalogue.Unreadable bad : catalogue.unreadable()) {
      notes.add(
          "%s can't be used: %s; cowbell verify tells more".formatted(bad.key(), bad.problem()));
    }
    long granularity = granularity(facts, verdict);
    Optional<TrackingRecord> tracking = tracking(facts, granularity, point, notes);
    ExtentSet changes = changes(image, facts, verdict);
    return new DiskPlan(
        facts.disk(),
        facts.size(),
        verdict,
        changes,
        granularity,
        verdict instanceof Increment ? changes.totalLength() : image.dataBytes(),
        tracking,
        verdict instanceof Increment increment ? increment.warnings() : List.of(),
        notes,
        image.record());
  }

  private Verdict verdict(Catalogue catalogue, DiskFacts facts) throws IOException {
    if (request.extent() == BackupRequest.Extent.FULL) {
      return new Full("it was asked for with --full");
    }
    return ChangeTracking.decide(facts, parents(catalogue, facts), request.userBitmap());
  }

  /** The disk's newest point, and the points whose bitmaps the image carries; newest first. */
  private List<ParentFacts> parents(Catalogue catalogue, DiskFacts facts) throws IOException {
    Optional<Manifest> newest = catalogue.newestOf(facts.disk());
    List<ParentFacts> parents = new ArrayList<>();
    for (Manifest point : catalogue.points().reversed()) {
      Optional<DiskRecord> record = point.disk(facts.disk());
      if (record.isPresent()
          && (newest.get().equals(point) || isCarried(facts, bitmap(point, record.get())))) {
        parents.add(
            new ParentFacts(
                point.point(),
                record.get(),
                bitmap(point, record.get()),
                chainProblem(catalogue, point, facts.disk()),
                hasDigests(catalogue, point, facts.disk())));
      }
    }
    return parents;
  }

  private static String bitmap(Manifest point, DiskRecord record) {
    return ParentFacts.bitmapName(point.point(), record, point.disks().size());
  }

  private static boolean isCarried(DiskFacts facts, String bitmap) {
    return facts.layers().stream().anyMatch(layer -> layer.bitmap(bitmap).isPresent());
  }

  private Optional<String> chainProblem(Catalogue catalogue, Manifest point, DiskName disk)
      throws IOException {
    try {
      DiskChain chain = catalogue.chain(point, disk);
      return ChainHealth.problem(repository.store(), chain);
    } catch (BrokenChainException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  /** Whether every overlay of the chain was written with digests. */
  private static boolean hasDigests(Catalogue catalogue, Manifest point, DiskName disk)
      throws IOException {
    try {
      return catalogue.chain(point, disk).hasDigests();
    } catch (BrokenChainException e) {
      return false;
    }
  }

  private Optional<TrackingRecord> tracking(
      DiskFacts facts, long granularity, PointId point, List<String> notes) {
    if (facts.reading().isPresent()) {
      return Optional.empty();
    }
    return switch (facts.tracking()) {
      case TrackingAbility.Unable(String reason) -> {
        notes.add(
            "disk %s: no bitmap can record what changes from now on: %s"
                .formatted(facts.disk(), reason));
        yield Optional.empty();
      }
      case TrackingAbility.Able() -> {
        String name = TrackingRecord.bitmapName(point, facts.disk(), request.disks().size());
        yield Optional.of(new TrackingRecord(name, granularity));
      }
    };
  }

  /** Keeps the granularity of the bitmap that was used so far. */
  private static long granularity(DiskFacts facts, Verdict verdict) {
    if (verdict instanceof Increment increment) {
      for (BitmapUse use : increment.bitmaps()) {
        Layer layer = facts.layers().get(use.layer());
        if (use.bitmap().startsWith(TrackingRecord.PREFIX)
            && layer.bitmap(use.bitmap()).isPresent()) {
          return layer.bitmap(use.bitmap()).get().granularity();
        }
      }
    }
    return DEFAULT_GRANULARITY;
  }

  private static ExtentSet changes(OfflineImage image, DiskFacts facts, Verdict verdict)
      throws IOException {
    if (!(verdict instanceof Increment increment)) {
      return ExtentSet.of(0, facts.size());
    }
    ExtentSet changes = ExtentSet.of(increment.tailFrom(), facts.size() - increment.tailFrom());
    for (BitmapUse use : increment.bitmaps()) {
      changes = changes.union(image.dirty(use.layer(), use.bitmap()));
    }
    if (increment.layersAbove() > 0) {
      changes = changes.union(image.allocatedAbove(increment.layersAbove()));
    }
    if (increment.tables().isPresent()) {
      TableDifference tables = increment.tables().get();
      changes = changes.union(image.difference(tables.from(), tables.to()));
    }
    return changes.clip(0, facts.size());
  }
}
