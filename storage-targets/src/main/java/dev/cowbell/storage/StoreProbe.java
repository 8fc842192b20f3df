package dev.cowbell.storage;

import java.util.List;

/**
 * What trying a store out has shown.
 *
 * @param capabilities what the store can do
 * @param findings one line each, for people
 */
public record StoreProbe(StoreCapabilities capabilities, List<Finding> findings) {

  public StoreProbe {
    findings = List.copyOf(findings);
  }

  /**
   * One thing that was tried.
   *
   * @param feature what was tried, such as "conditional put"
   * @param works whether it does what is asked of it
   * @param detail what was seen, and what follows if it does not work
   */
  public record Finding(String feature, boolean works, String detail) {

    @Override
    public String toString() {
      return feature + ": " + (works ? "yes" : "no") + " (" + detail + ")";
    }
  }
}
