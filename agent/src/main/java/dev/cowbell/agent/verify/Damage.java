package dev.cowbell.agent.verify;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.storage.ObjectKey;
import java.util.List;
import java.util.Optional;

/**
 * Something that is missing or not as it was stored.
 *
 * @param object the object
 * @param vm whose it is; empty for the repository's description
 * @param disk whose overlay it is; empty for a manifest
 * @param problem what was found and what is allowed
 * @param touches the points that can't be restored, or not wholly, oldest first
 */
public record Damage(
    ObjectKey object,
    Optional<VmName> vm,
    Optional<DiskName> disk,
    String problem,
    List<PointId> touches) {

  public Damage {
    touches = List.copyOf(touches);
  }
}
