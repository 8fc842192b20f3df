package dev.cowbell.qcow2.check;

/**
 * What a repair did.
 *
 * @param before the check that the repair started from
 * @param after the check of the image as the repair left it
 * @param corruptionsFixed how many corruptions are gone; COPIED flags that were right once the
 *     refcounts were are not among them
 * @param leaksFixed how many leaks are gone
 */
public record RepairReport(
    CheckReport before, CheckReport after, long corruptionsFixed, long leaksFixed) {

  /** Whether anything that a check counts was put right. */
  public boolean fixedAnything() {
    return corruptionsFixed > 0 || leaksFixed > 0;
  }
}
