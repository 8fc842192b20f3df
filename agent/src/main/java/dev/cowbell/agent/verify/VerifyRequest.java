package dev.cowbell.agent.verify;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.repository.VmName;
import java.util.Optional;

/**
 * What the user wants verified.
 *
 * @param vm the only VM; empty for all
 * @param point the only point, as the user names it; empty for all. Needs a VM
 * @param level how deep
 * @param sample how much of the data is read
 */
public record VerifyRequest(
    Optional<VmName> vm, Optional<String> point, Level level, Sample sample) {

  /** How deep to look. */
  public enum Level {
    /** Everything but guest data: manifests, that overlays are there, their tables. */
    METADATA,
    /** Guest data too. */
    DATA
  }

  void check() throws RefusedException {
    if (point.isPresent() && vm.isEmpty()) {
      throw new RefusedException("--point needs --vm: points belong to VMs");
    }
    if (!(sample instanceof Sample.Everything) && level != Level.DATA) {
      throw new RefusedException("--sample is for --level data: metadata is always read whole");
    }
  }
}
