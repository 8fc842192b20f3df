package dev.cowbell.qcow2.check;

import java.io.IOException;

/** Counts findings and clusters while the image is walked, once or several times. */
final class Tally {
  private final CheckListener listener;
  private boolean firstPass = true;
  private long corruptions;
  private long leaks;
  private long checkErrors;
  private long allocated;
  private long fragmented;
  private long compressed;
  private long lastUsedCluster;

  Tally(CheckListener listener) {
    this.listener = listener;
  }

  /** From here on the same structures are walked again. */
  void endFirstPass() {
    firstPass = false;
  }

  boolean isFirstPass() {
    return firstPass;
  }

  void between() throws IOException {
    listener.between();
  }

  /** Takes note of a finding. */
  void found(Finding finding) throws IOException {
    switch (finding.severity()) {
      case CORRUPTION -> corruptions++;
      case LEAK -> leaks++;
      case CHECK_ERROR -> checkErrors++;
    }
    listener.found(finding);
  }

  /** Counts a guest cluster of the active state, in the first pass. */
  void allocated(long times, boolean isFragmented, boolean isCompressed) {
    if (firstPass) {
      allocated += times;
      fragmented += isFragmented ? times : 0;
      compressed += isCompressed ? times : 0;
    }
  }

  void used(long cluster) {
    lastUsedCluster = Math.max(lastUsedCluster, cluster);
  }

  CheckReport report(long totalClusters, int clusterSize) {
    return new CheckReport(
        corruptions,
        leaks,
        checkErrors,
        totalClusters,
        allocated,
        fragmented,
        compressed,
        (lastUsedCluster + 1) * clusterSize);
  }
}
