package dev.cowbell.qcow2.amend;

import dev.cowbell.qcow2.format.RefcountWidth;
import java.util.Optional;

/**
 * What is to become of an image; what is empty stays as it is.
 *
 * @param version 2 or 3
 * @param refcountWidth how wide refcounts are to be
 * @param lazyRefcounts whether refcounts may be written late
 */
public record AmendOptions(
    Optional<Integer> version,
    Optional<RefcountWidth> refcountWidth,
    Optional<Boolean> lazyRefcounts) {

  public AmendOptions {
    if (version.isPresent() && version.get() != 2 && version.get() != 3) {
      throw new IllegalArgumentException("qcow2 version " + version.get() + ", there are 2 and 3");
    }
  }
}
