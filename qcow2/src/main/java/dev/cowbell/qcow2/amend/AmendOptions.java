package dev.cowbell.qcow2.amend;

import dev.cowbell.qcow2.crypto.KeySlotChange;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.util.Optional;

/**
 * What is to become of an image; what is empty stays as it is.
 *
 * @param version 2 or 3
 * @param refcountWidth how wide refcounts are to be
 * @param lazyRefcounts whether refcounts may be written late
 * @param keySlots what is to become of the passphrases of an encrypted image
 */
public record AmendOptions(
    Optional<Integer> version,
    Optional<RefcountWidth> refcountWidth,
    Optional<Boolean> lazyRefcounts,
    Optional<KeySlotChange> keySlots) {

  /** Leaves passphrases alone. */
  public AmendOptions(
      Optional<Integer> version,
      Optional<RefcountWidth> refcountWidth,
      Optional<Boolean> lazyRefcounts) {
    this(version, refcountWidth, lazyRefcounts, Optional.empty());
  }

  public AmendOptions {
    if (version.isPresent() && version.get() != 2 && version.get() != 3) {
      throw new IllegalArgumentException("qcow2 version " + version.get() + ", there are 2 and 3");
    }
  }

  public AmendOptions withKeySlots(Optional<KeySlotChange> change) {
    return new AmendOptions(version, refcountWidth, lazyRefcounts, change);
  }
}
