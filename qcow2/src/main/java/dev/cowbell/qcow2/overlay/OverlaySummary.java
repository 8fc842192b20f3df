package dev.cowbell.qcow2.overlay;

import java.util.Optional;

/**
 * What was written, for the manifest and the log.
 *
 * @param clusterSize in bytes
 * @param headLength the bytes of the head: one cluster
 * @param size the bytes of the whole object, head included
 * @param headDigest of the head
 * @param bodyDigest of everything behind the head; empty if some of it never came by here
 * @param dataClusters the clusters stored as frames
 * @param zeroClusters the clusters explicitly said to be zero
 * @param bytesRead guest bytes read from the source
 * @param frameBytes the bytes of all frames
 * @param metadataBytes the bytes of head, tables and padding
 */
public record OverlaySummary(
    int clusterSize,
    int headLength,
    long size,
    Sha256 headDigest,
    Optional<Sha256> bodyDigest,
    long dataClusters,
    long zeroClusters,
    long bytesRead,
    long frameBytes,
    long metadataBytes) {

  /** The guest bytes that the overlay says something about, in whole clusters. */
  public long changedBytes() {
    return (dataClusters + zeroClusters) * clusterSize;
  }
}
