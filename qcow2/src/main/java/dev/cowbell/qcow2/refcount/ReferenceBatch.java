package dev.cowbell.qcow2.refcount;

import java.io.IOException;
import java.util.Arrays;

/**
 * Adds or takes away many references at once: they are collected, sorted, and applied refcount
 * block by refcount block. Memory is bounded by {@value #CAPACITY} references. The changes stay
 * with the allocator until {@link ClusterAllocator#writeBack}.
 */
public final class ReferenceBatch {

  /** How many references are collected before they are applied. */
  private static final int CAPACITY = 1 << 20;

  private static final int FIRST_CAPACITY = 1 << 10;

  private final Step step;
  private final long limit;
  private long[] clusters = new long[FIRST_CAPACITY];
  private int collected;
  private long applied;

  /** Applies what was collected, or fails without any effect. */
  @FunctionalInterface
  interface Step {
    void apply(long[] sorted, int count) throws IOException;
  }

  ReferenceBatch(Step step, long limit) {
    this.step = step;
    this.limit = limit;
  }

  /** A reference to a cluster, named by its index: host offset divided by cluster size. */
  public void add(long cluster) throws IOException {
    if (collected == CAPACITY) {
      apply();
    }
    if (applied + collected == limit) {
      return;
    }
    if (collected == clusters.length) {
      clusters = Arrays.copyOf(clusters, Math.min(CAPACITY, collected * 4));
    }
    clusters[collected++] = cluster;
  }

  /** References to all clusters that hold a run of bytes. */
  public void add(long offset, long bytes, int clusterBits) throws IOException {
    long last = (offset + bytes - 1) >>> clusterBits;
    for (long cluster = offset >>> clusterBits; cluster <= last; cluster++) {
      add(cluster);
    }
  }

  /** Applies the rest. */
  public void finish() throws IOException {
    apply();
  }

  /** How many references, the first ones in the order they came, are applied. */
  public long applied() {
    return applied;
  }

  private void apply() throws IOException {
    Arrays.sort(clusters, 0, collected);
    step.apply(clusters, collected);
    applied += collected;
    collected = 0;
  }
}
