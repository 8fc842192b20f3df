package dev.cowbell.agent.verify;

import dev.cowbell.storage.ObjectKey;
import java.util.List;

/**
 * What was found.
 *
 * @param damage everything missing or damaged
 * @param unreferenced objects below the VMs' folders that no manifest names: leftovers, harmless
 * @param points how many points were looked at
 * @param overlays how many overlays were looked at
 * @param bytesRead from overlays
 */
public record VerifyReport(
    List<Damage> damage, List<ObjectKey> unreferenced, int points, int overlays, long bytesRead) {

  public VerifyReport {
    damage = List.copyOf(damage);
    unreferenced = List.copyOf(unreferenced);
  }
}
