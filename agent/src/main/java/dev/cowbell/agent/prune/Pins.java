package dev.cowbell.agent.prune;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredManifest;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.storage.PreconditionFailedException;
import java.io.IOException;

/**
 * Pins and unpins points. A pin stands in the point's manifest, which is replaced only if nobody
 * else did so meanwhile; so this needs no lease, and a prune that has judged the point without its
 * pin notices before it drops it.
 */
public final class Pins {

  private static final int TRIES = 8;

  private final Repository repository;

  public Pins(Repository repository) {
    this.repository = repository;
  }

  /**
   * Pins or unpins a point.
   *
   * @param named an id, the beginning of one, or {@code latest}
   * @return the point as it is now
   * @throws NotFoundException if there is no such point
   */
  public Manifest set(VmName vm, String named, boolean pinned) throws IOException {
    PointId point = repository.catalogue(vm).resolve(named).point();
    for (int tries = 1; ; tries++) {
      StoredManifest stored =
          repository
              .read(vm, point)
              .filter(s -> !s.manifest().dropped())
              .orElseThrow(() -> new NotFoundException("point " + point + " was just removed"));
      if (stored.manifest().pinned() == pinned) {
        return stored.manifest();
      }
      try {
        return repository.replace(stored, stored.manifest().withPinned(pinned)).manifest();
      } catch (PreconditionFailedException e) {
        if (tries == TRIES) {
          throw e;
        }
      }
    }
  }
}
