package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.KeySlotException;
import dev.cowbell.qcow2.WrongPassphraseException;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What is to become of an encrypted image's key slots. Passphrases stay the caller's to close. None
 * of the changes erases the last slot that is active.
 */
public sealed interface KeySlotChange {

  /**
   * Makes the change. Durable when this returns.
   *
   * @throws WrongPassphraseException if a passphrase opens nothing
   * @throws KeySlotException if the slots, as they are, do not allow it
   */
  void apply(LuksArea area) throws IOException;

  /**
   * Lets another passphrase open the image.
   *
   * @param present opens the image now
   * @param time what trying the new passphrase is to cost
   * @param slot an inactive one; by default the first
   */
  record Add(Passphrase present, Passphrase added, IterationTime time, OptionalInt slot)
      implements KeySlotChange {
    @Override
    public void apply(LuksArea area) throws IOException {
      try (MasterKey key = area.unlock(present)) {
        area.addSlot(key, added, time, slot);
      }
    }
  }

  /**
   * Erases one slot; an inactive one once more, which finishes what was interrupted.
   *
   * @param present opens the image, or {@code expected} is there
   * @param expected a passphrase that the slot must be of
   */
  record EraseSlot(int slot, Optional<Passphrase> present, Optional<Passphrase> expected)
      implements KeySlotChange {

    /**
     * @throws IllegalArgumentException if there is no passphrase at all
     */
    public EraseSlot {
      if (present.isEmpty() && expected.isEmpty()) {
        throw new IllegalArgumentException("a passphrase of the image is needed");
      }
    }

    @Override
    public void apply(LuksArea area) throws IOException {
      if (present.isPresent()) {
        area.unlock(present.get()).close();
      }
      if (expected.isPresent() && !area.slotsOpenedBy(expected.get()).contains(slot)) {
        throw new KeySlotException("key slot %d is not of the old passphrase".formatted(slot));
      }
      area.eraseSlot(slot, false);
    }
  }

  /** Erases every slot that a passphrase opens. */
  record EraseOf(Passphrase old) implements KeySlotChange {
    @Override
    public void apply(LuksArea area) throws IOException {
      List<Integer> opened = area.slotsOpenedBy(old);
      if (opened.size() == area.header().activeSlots().size()) {
        throw new KeySlotException(
            "the passphrase is that of all %d active key slots: without them nothing can read the image's data"
                .formatted(opened.size()));
      }
      for (int slot : opened) {
        area.eraseSlot(slot, false);
      }
    }
  }
}
