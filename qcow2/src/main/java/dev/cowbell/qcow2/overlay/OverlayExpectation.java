package dev.cowbell.qcow2.overlay;

import java.util.Optional;

/**
 * What a manifest says of an overlay.
 *
 * @param size of the whole object in bytes
 * @param headDigest of its first cluster
 * @param bodyDigest of everything behind it; empty for a merged overlay
 * @param dataClusters the clusters stored as frames
 * @param zeroClusters the clusters said to be zero
 */
public record OverlayExpectation(
    long size,
    Sha256 headDigest,
    Optional<Sha256> bodyDigest,
    long dataClusters,
    long zeroClusters) {

  /** What is expected of an overlay that was just written. */
  public static OverlayExpectation of(OverlaySummary written) {
    return new OverlayExpectation(
        written.size(),
        written.headDigest(),
        written.bodyDigest(),
        written.dataClusters(),
        written.zeroClusters());
  }
}
