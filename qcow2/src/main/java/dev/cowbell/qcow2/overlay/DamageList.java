package dev.cowbell.qcow2.overlay;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects damages from any thread: losses next to each other become one, and not all are kept. */
final class DamageList {
  static final int MAX_KEPT = 1000;

  private final List<OverlayDamage> others = new ArrayList<>();
  private final List<OverlayDamage.Lost> losses = new ArrayList<>();
  private long left;

  synchronized void add(OverlayDamage damage) {
    if (others.size() + losses.size() >= MAX_KEPT) {
      left++;
    } else if (damage instanceof OverlayDamage.Lost lost) {
      losses.add(lost);
    } else {
      others.add(damage);
    }
  }

  synchronized boolean isEmpty() {
    return others.isEmpty() && losses.isEmpty();
  }

  /** Everything found, the losses in guest order. */
  synchronized List<OverlayDamage> toList() {
    losses.sort(Comparator.comparingLong(OverlayDamage.Lost::guestOffset));
    List<OverlayDamage> all = new ArrayList<>(others);
    OverlayDamage.Lost open = null;
    for (OverlayDamage.Lost lost : losses) {
      if (open != null && open.guestOffset() + open.guestLength() == lost.guestOffset()) {
        open =
            new OverlayDamage.Lost(
                open.guestOffset(), open.guestLength() + lost.guestLength(), open.what());
        continue;
      }
      if (open != null) {
        all.add(open);
      }
      open = lost;
    }
    if (open != null) {
      all.add(open);
    }
    if (left > 0) {
      all.add(new OverlayDamage.Altered("and " + left + " more damages"));
    }
    return all;
  }
}
