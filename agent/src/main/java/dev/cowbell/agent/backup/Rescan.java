package dev.cowbell.agent.backup;

import dev.cowbell.agent.backup.BackupPlan.DiskPlan;
import dev.cowbell.agent.backup.Verdict.Full;
import dev.cowbell.agent.backup.Verdict.Increment;
import dev.cowbell.agent.digests.ContentComparison;
import dev.cowbell.agent.digests.ContentComparison.Choice;
import dev.cowbell.agent.digests.DigestChain;
import dev.cowbell.agent.observe.Progress.Phase;
import dev.cowbell.agent.repository.BrokenChainException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.source.OfflineImage;
import dev.cowbell.agent.source.OfflineImages;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.overlay.ContentDigest;
import dev.cowbell.storage.PreconditionFailedException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Finds out what changed where no bitmap tells: reads a disk and compares it with the digests of
 * the point below. Also proves what a bitmap says, by a sample of what it calls unchanged.
 */
final class Rescan {

  private static final double PERCENT = 100;

  private final Repository repository;
  private final BackupSettings settings;
  private final double provePercent;

  Rescan(Repository repository, BackupSettings settings, double provePercent) {
    this.repository = repository;
    this.settings = settings;
    this.provePercent = provePercent;
  }

  /** The plan with everything known that it left open. Reads from images that are locked. */
  BackupPlan resolve(BackupPlan plan, OfflineImages images) throws IOException {
    List<DiskPlan> disks = new ArrayList<>();
    for (DiskPlan disk : plan.disks()) {
      settings.cancellation().check();
      OfflineImage image = images.of(disk.disk());
      disks.add(
          switch (disk.verdict()) {
            case Full _ -> disk;
            case Verdict.Rescan rescan -> rescan(plan, disk, rescan, image);
            case Increment increment ->
                provePercent > 0 ? prove(plan, disk, increment, image) : disk;
          });
    }
    return new BackupPlan(plan.vm(), plan.point(), disks);
  }

  private DiskPlan rescan(BackupPlan plan, DiskPlan disk, Verdict.Rescan rescan, OfflineImage image)
      throws IOException {
    try (Phase phase = settings.progress().begin(disk.disk() + ": comparing", disk.size())) {
      DigestChain digests = opened(chain(plan, disk, rescan.parent()));
      long then = digests.size() & -ContentDigest.MAX_UNIT;
      ExtentSet grown =
          disk.size() == digests.size()
              ? ExtentSet.empty()
              : ExtentSet.of(then, disk.size() - then);
      ExtentSet changes = compare(image, digests, Choice.ALL, phase).union(grown);
      return disk.with(rescan, changes.clip(0, disk.size()));
    } catch (DamagedObjectException | BrokenChainException | PreconditionFailedException e) {
      Full full =
          new Full(
              "%s; but what there was can't be compared with: %s"
                  .formatted(rescan.reason(), e.getMessage()));
      return disk.asFull(full, image.dataBytes(), rescan.warnings());
    }
  }

  /** Compares a sample of what did not change, as the bitmap says. */
  private DiskPlan prove(BackupPlan plan, DiskPlan disk, Increment increment, OfflineImage image)
      throws IOException {
    ExtentSet missed;
    try (Phase phase = settings.progress().begin(disk.disk() + ": proving", disk.size())) {
      DiskChain chain = chain(plan, disk, increment.parent());
      if (!chain.hasDigests()) {
        return disk.withNote(
            "disk %s: nothing was proved: a point below has no digests".formatted(disk.disk()));
      }
      missed =
          compare(image, opened(chain), sample(plan.point()), phase)
              .difference(disk.changes().alignOutward(ContentDigest.MAX_UNIT));
    } catch (DamagedObjectException | BrokenChainException | PreconditionFailedException e) {
      return disk.withWarning(
          "disk %s: what the bitmap says could not be proved: %s"
              .formatted(disk.disk(), e.getMessage()));
    }
    return missed.isEmpty()
        ? disk.withNote(
            "disk %s: proved by a sample of %s percent: nothing changed without being tracked"
                .formatted(disk.disk(), provePercent))
        : rescan(plan, disk, distrust(disk, increment, missed), image);
  }

  private static Verdict.Rescan distrust(DiskPlan disk, Increment increment, ExtentSet missed) {
    String found =
        "a sample shows %d bytes, from %d on, that differ from point %s without being tracked"
            .formatted(missed.totalLength(), missed.start(0), increment.parent());
    return new Verdict.Rescan(
        increment.parent(),
        "rescan: " + found,
        List.of(
            ("disk %s: TRACKING FAILED: %s; everything was compared and this point is right, but"
                    + " earlier ones may lack changes")
                .formatted(disk.disk(), found)));
  }

  private Choice sample(PointId point) {
    long seed = point.value().hashCode();
    return new Choice() {
      @Override
      public boolean wanted(long start, long end) {
        long piece = start / ContentComparison.PIECE;
        return new SplittableRandom(seed * 31 + piece).split().nextDouble() * PERCENT
            < provePercent;
      }

      @Override
      public boolean unknownDiffers() {
        return false;
      }
    };
  }

  private ExtentSet compare(OfflineImage image, DigestChain digests, Choice choice, Phase phase)
      throws IOException {
    return new ContentComparison(
            repository.descriptor().id(),
            image.content(),
            choice,
            bytes -> {
              phase.advance(bytes);
              settings.cancellation().check();
            })
        .run(digests);
  }

  private DigestChain opened(DiskChain chain) throws IOException {
    return DigestChain.open(repository.store(), repository.descriptor().id(), chain);
  }

  private DiskChain chain(BackupPlan plan, DiskPlan disk, PointId parent) throws IOException {
    Catalogue catalogue = repository.catalogue(plan.vm());
    Manifest point =
        catalogue.points().stream()
            .filter(p -> p.point().equals(parent))
            .findFirst()
            .orElseThrow(() -> new IOException("point " + parent + " is gone"));
    return catalogue.chain(point, disk.disk());
  }
}
