package dev.cowbell.it.fuzz;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.config.ConfigException;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.NewerFormatException;
import dev.cowbell.bitmaps.directory.BitmapFormatException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.overlay.DamagedClusterException;

/** How this program says no to an input. */
final class Refusals {
  private Refusals() {}

  static boolean isRefusal(Exception e) {
    boolean known =
        e instanceof ImageException
            || e instanceof DamagedClusterException
            || e instanceof BitmapFormatException
            || e instanceof DamagedObjectException
            || e instanceof NewerFormatException
            || e instanceof RefusedException
            || e instanceof ConfigException;
    return known && e.getMessage() != null && !e.getMessage().isBlank();
  }
}
