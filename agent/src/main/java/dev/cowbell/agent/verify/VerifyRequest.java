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
 * @param samplePercent how much of the data is read, more than 0, at most 100
 * @param seed chooses the sample
 */
public record VerifyRequest(
    Optional<VmName> vm, Optional<String> point, Level level, double samplePercent, long seed) {

  /** How deep to look. */
  public enum Level {
    /** Everything but guest data: manifests, that overlays are there, their tables. */
    METADATA,
    /** Guest data too. */
    DATA
  }

  public static final double ALL = 100;

  void check() throws RefusedException {
    if (point.isPresent() && vm.isEmpty()) {
      throw new RefusedException("--point needs --vm: points belong to VMs");
    }
    if (!(samplePercent > 0 && samplePercent <= ALL)) {
      throw new RefusedException("--sample %s: more than 0, at most 100".formatted(samplePercent));
    }
    if (samplePercent < ALL && level != Level.DATA) {
      throw new RefusedException("--sample is for --level data: metadata is always read whole");
    }
  }
}
