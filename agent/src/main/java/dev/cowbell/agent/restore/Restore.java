package dev.cowbell.agent.restore;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.BrokenChainException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Reach;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.restore.RestorePlan.DiskTarget;
import dev.cowbell.storage.PreconditionFailedException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Rebuilds disks. A result gets its name when all of the restore's disks are complete; until then,
 * and after a failure, what was there is as it was. Block devices are written in place.
 */
public final class Restore {

  /** How often a chain may change under a reader before it gives up. */
  private static final int MAX_CHANGES = 50;

  private final Repository repository;
  private final Progress progress;
  private final Cancellation cancellation;

  public Restore(Repository repository, Progress progress, Cancellation cancellation) {
    this.repository = repository;
    this.progress = progress;
    this.cancellation = cancellation;
  }

  /**
   * Rebuilds what was asked for.
   *
   * @return what was done
   * @throws NotFoundException if there is no such point or disk
   * @throws DamagedObjectException if an object is missing or damaged; the message names it, its
   *     disk and all points that it touches
   */
  public RestorePlan run(RestoreRequest request) throws IOException {
    for (int changes = 0; ; changes++) {
      Catalogue catalogue = repository.catalogue(request.vm());
      RestorePlan plan = plan(catalogue, request);
      try {
        execute(catalogue, plan, request);
        return plan;
      } catch (PreconditionFailedException e) {
        // a merge replaced an overlay while we were reading; its manifest may follow a little later
        if (changes == MAX_CHANGES) {
          throw e;
        }
      } catch (DamagedObjectException e) {
        if (changes == MAX_CHANGES || !hasChanged(plan, request)) {
          throw e;
        }
      }
    }
  }

  private static RestorePlan plan(Catalogue catalogue, RestoreRequest request) throws IOException {
    try {
      return new RestorePlanner(catalogue, request).plan();
    } catch (BrokenChainException e) {
      Optional<PointId> lost = Layout.pointOfManifest(catalogue.vm(), e.key());
      if (lost.isEmpty()) {
        throw e;
      }
      throw new DamagedObjectException(
          e.key(),
          "%s; touches disk %s of %s"
              .formatted(
                  e.problem(),
                  e.disk(),
                  points(new Reach(catalogue).ofOverlay(lost.get(), e.disk()))));
    }
  }

  private boolean hasChanged(RestorePlan plan, RestoreRequest request) throws IOException {
    Catalogue now = repository.catalogue(request.vm());
    for (DiskTarget disk : plan.disks()) {
      var point = now.find(plan.point().point());
      if (point.isEmpty() || !now.chain(point.get(), disk.chain().disk()).equals(disk.chain())) {
        return true;
      }
    }
    return false;
  }

  private void execute(Catalogue catalogue, RestorePlan plan, RestoreRequest request)
      throws IOException {
    if (plan.disks().size() > 1 && !Files.isDirectory(request.target())) {
      Files.createDirectory(request.target());
    }
    List<DiskRestore> restored = new ArrayList<>();
    try {
      for (DiskTarget disk : plan.disks()) {
        cancellation.check();
        DiskRestore restore = DiskRestore.begin(disk, request.existing(), request.passphrase());
        restored.add(restore);
        try {
          restore.run(repository, progress, cancellation);
        } catch (DamagedObjectException e) {
          throw named(catalogue, disk.chain(), e);
        }
      }
      for (DiskRestore restore : restored) {
        restore.publish();
      }
    } finally {
      for (DiskRestore restore : restored) {
        restore.close();
      }
    }
  }

  private static DamagedObjectException named(
      Catalogue catalogue, DiskChain chain, DamagedObjectException e) {
    return chain.links().stream()
        .filter(link -> link.record().overlay().key().equals(e.key()))
        .findFirst()
        .map(link ->
            new DamagedObjectException(
                e.key(),
                "%s; touches disk %s of %s"
                    .formatted(
                        e.problem(),
                        chain.disk(),
                        points(new Reach(catalogue).ofOverlay(link.point(), chain.disk())))))
        .orElse(e);
  }

  private static String points(List<PointId> points) {
    return (points.size() == 1 ? "point " : "points ")
        + points.stream().map(PointId::value).collect(Collectors.joining(", "));
  }
}
