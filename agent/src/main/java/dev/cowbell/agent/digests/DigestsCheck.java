package dev.cowbell.agent.digests;

import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.StoredChain;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.overlay.OverlayChainDisk;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/** Checks the digests that go with an overlay. */
public final class DigestsCheck {

  private static final String MEANING = "; no data is lost, but a lost bitmap will mean a full";

  private final ObjectStore store;
  private final UUID repository;

  /**
   * @param repository whose digests they have to be
   */
  public DigestsCheck(ObjectStore store, UUID repository) {
    this.store = store;
    this.repository = repository;
  }

  /**
   * Reads the digests of a chain's newest overlay: that they are there, whole and of this overlay.
   *
   * @return what is wrong; empty if nothing is
   */
  public Optional<String> sealed(DiskChain chain) throws IOException {
    try {
      DigestChain digests = open(chain);
      DigestRun run = digests.next();
      while (run != null) {
        run = digests.next();
      }
      return Optional.empty();
    } catch (DamagedObjectException e) {
      return Optional.of(e.problem() + MEANING);
    }
  }

  /**
   * Digests what the point reads as, wherever its newest overlay's digests say something, and
   * compares.
   *
   * @param monitor may stop it
   * @return what is wrong with the digests; empty if nothing is
   * @throws DamagedObjectException if an overlay is damaged
   */
  public Optional<String> recomputed(DiskChain chain, ContentComparison.Monitor monitor)
      throws IOException {
    StoredChain stored = StoredChain.open(store, chain.links());
    ExtentSet.Builder differences = ExtentSet.builder();
    try (OverlayChainDisk disk = new OverlayChainDisk(stored.chain())) {
      stored.read(() ->
          differences.addAll(
              new ContentComparison(repository, disk, new Known(), monitor).run(open(chain))));
    }
    ExtentSet found = differences.build();
    return found.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "says something else of %d guest bytes, from %d on, than the overlays hold%s"
                .formatted(found.totalLength(), found.start(0), MEANING));
  }

  private DigestChain open(DiskChain chain) throws IOException {
    DigestsReader reader =
        DigestsReader.open(store, repository, chain.vm(), chain.disk(), chain.links().getFirst());
    return new DigestChain(
        List.of(reader), chain.top().record().virtualSize(), DigestRun.Kind.ABSENT);
  }

  /** What is known is compared. */
  private static final class Known implements ContentComparison.Choice {
    @Override
    public boolean wanted(long start, long end) {
      return true;
    }

    @Override
    public boolean unknownDiffers() {
      return false;
    }
  }
}
