package dev.cowbell.qcow2.check;

/**
 * What a check counted, in qemu-img's terms.
 *
 * @param corruptions findings of severity {@link Finding.Severity#CORRUPTION}
 * @param leaks clusters that are marked as used but not used
 * @param checkErrors findings of severity {@link Finding.Severity#CHECK_ERROR}
 * @param totalClusters guest clusters of the disk
 * @param allocatedClusters guest clusters that the active state keeps in host clusters
 * @param fragmentedClusters those of them that don't follow their predecessor in the file
 * @param compressedClusters those of them that are compressed
 * @param imageEndOffset the end of the last host cluster in use
 */
public record CheckReport(
    long corruptions,
    long leaks,
    long checkErrors,
    long totalClusters,
    long allocatedClusters,
    long fragmentedClusters,
    long compressedClusters,
    long imageEndOffset) {

  /** The outcome in one word. */
  public enum Verdict {
    CLEAN,
    /** Something could not be looked at. */
    INCOMPLETE,
    CORRUPT,
    /** Nothing but leaks. */
    LEAKS
  }

  public Verdict verdict() {
    if (checkErrors > 0) {
      return Verdict.INCOMPLETE;
    }
    return corruptions > 0 ? Verdict.CORRUPT : leaks > 0 ? Verdict.LEAKS : Verdict.CLEAN;
  }
}
