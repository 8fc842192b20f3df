package dev.cowbell.qcow2.overlay;

import java.util.List;

/**
 * How some overlays of a chain become one.
 *
 * @param spec what the result is to be
 * @param copies the ranges that are copied inside the store, in the order of the result
 * @param movedFrames the frames that are moved through this process as they are
 * @param movedBytes about how many bytes these have
 * @param packedClusters the clusters that are read, unpacked and packed again, since no single
 *     overlay has all of them in the result's cluster size
 * @param metadataBytes about how many bytes the result's tables have
 */
public record MergePlan(
    OverlaySpec spec,
    List<Copy> copies,
    long movedFrames,
    long movedBytes,
    long packedClusters,
    long metadataBytes) {

  /** A range of one of the merged overlays, the newest being number 0. */
  public record Copy(int overlay, long at, long length) {
    long end() {
      return at + length;
    }
  }

  public MergePlan {
    copies = List.copyOf(copies);
  }

  /** The bytes copied inside the store. */
  public long copiedBytes() {
    return copies.stream().mapToLong(Copy::length).sum();
  }

  /** About how many bytes go through this process to the store. */
  public long throughAgentBytes() {
    return spec.headLength() + movedBytes + packedClusters * spec.clusterSize() / 2 + metadataBytes;
  }

  /** About how long the result will be. */
  public long resultBytes() {
    return copiedBytes() + throughAgentBytes();
  }
}
