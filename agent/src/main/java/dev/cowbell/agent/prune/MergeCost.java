package dev.cowbell.agent.prune;

import dev.cowbell.qcow2.overlay.MergePlan;

/**
 * What a merge costs, estimated before it begins.
 *
 * @param copiedBytes moved inside the store
 * @param agentBytes moved through this process to the store; about as many are read before
 * @param requests about how many requests it takes
 * @param resultBytes about how long the merged overlay will be
 */
public record MergeCost(long copiedBytes, long agentBytes, long requests, long resultBytes) {

  private static final long PART = 8 << 20;
  private static final long COPY_PART = 64 << 20;
  private static final long READ = 1 << 20;

  /** Manifest and lease, each read or put some times. */
  private static final long FIXED = 16;

  /** Nothing. */
  public static final MergeCost NONE = new MergeCost(0, 0, 0, 0);

  static MergeCost of(MergePlan plan) {
    long copyRequests =
        plan.copies().stream().mapToLong(c -> (c.length() + COPY_PART - 1) / COPY_PART).sum();
    return new MergeCost(
        plan.copiedBytes(),
        plan.throughAgentBytes(),
        FIXED
            + copyRequests
            + plan.throughAgentBytes() / PART
            + plan.movedBytes() / READ
            + plan.packedClusters() * plan.spec().clusterSize() / READ
            + plan.metadataBytes() / READ,
        plan.resultBytes());
  }

  public MergeCost plus(MergeCost other) {
    return new MergeCost(
        copiedBytes + other.copiedBytes,
        agentBytes + other.agentBytes,
        requests + other.requests,
        resultBytes + other.resultBytes);
  }
}
