package dev.cowbell.agent.digests;

import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DigestsRecord;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskChain.Link;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.qcow2.overlay.ContentDigest;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Puts one digests object in the place of a point's that says what it and those below it say
 * together. Both describe the disk at the same point, and the new one all that the old one does: so
 * it may take its place long before the overlays are merged, and nothing is lost if they never are.
 */
public final class DigestsMerge {

  private final ObjectStore store;
  private final UUID repository;

  /**
   * @param repository whose digests they are
   */
  public DigestsMerge(ObjectStore store, UUID repository) {
    this.store = store;
    this.repository = repository;
  }

  /**
   * Merges.
   *
   * @param links the point, and those below it that are to go
   * @param upon what lies below the last of them
   * @return what the point's manifest will have to say; empty if there is nothing to merge, or some
   *     of it is damaged: then the point is without digests as soon as its overlay is merged
   */
  public Optional<DigestsRecord> run(
      VmName vm, DiskName disk, List<Link> links, Optional<PointId> upon) throws IOException {
    if (links.stream().anyMatch(link -> link.record().digests().isEmpty())) {
      return Optional.empty();
    }
    try {
      List<DigestsReader> readers = new ArrayList<>();
      for (Link link : links) {
        readers.add(DigestsReader.open(store, repository, vm, disk, link));
      }
      DiskChain.Link top = links.getFirst();
      DigestChain chain =
          new DigestChain(readers, top.record().virtualSize(), DigestRun.Kind.ABSENT);
      long described = links.stream().mapToLong(l -> l.record().counts().changedBytes()).sum();
      try (DigestsWriter writer =
          DigestsWriter.begin(
              store,
              Layout.digests(vm, disk, top.point()),
              Precondition.ifMatch(readers.getFirst().object().etag()),
              new OverlayIdentity(
                  repository.toString(), vm.value(), disk.value(), top.point().value()),
              upon,
              top.record().virtualSize(),
              described)) {
        for (DigestRun run = chain.next(); run != null; run = chain.next()) {
          write(run, writer);
        }
        return Optional.of(writer.commit());
      }
    } catch (DamagedObjectException e) {
      return Optional.empty();
    }
  }

  private static void write(DigestRun run, DigestsWriter writer) throws IOException {
    // only the disk's end is no multiple of a unit
    long length = (run.end() - run.start() + ContentDigest.MIN_UNIT - 1) & -ContentDigest.MIN_UNIT;
    switch (run.kind()) {
      case DATA -> writer.data(run.start(), run.unit(), run.digests());
      case ZERO -> writer.zero(run.start(), length);
      case UNKNOWN -> writer.unknown(run.start(), length);
      case ABSENT -> {}
    }
  }
}
