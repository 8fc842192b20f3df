package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.Extent.Status;
import java.io.IOException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Turns extents into runs of whole clusters: a cluster is zero only if zero extents cover all of
 * it, and otherwise data as soon as any extent touches it.
 */
final class ClusterPlan {

  /** A run of clusters, {@code end} exclusive. */
  record ClusterRun(long start, long end, boolean zero) {}

  private final ExtentCursor extents;
  private final long diskSize;
  private final int clusterBits;
  private final ArrayDeque<ClusterRun> ready = new ArrayDeque<>();
  private @Nullable Extent ahead;
  private @Nullable ClusterRun open;
  private long done;
  private long lastEnd;

  ClusterPlan(ExtentCursor extents, OverlaySpec spec) {
    this.extents = extents;
    this.diskSize = spec.diskSize();
    this.clusterBits = spec.geometry().clusterBits();
  }

  /** The next run; runs ascend, and neighbours that touch differ. Null behind the last one. */
  @Nullable ClusterRun next() throws IOException {
    while (ready.isEmpty()) {
      Extent extent = nextJoined();
      if (extent == null) {
        ClusterRun last = open;
        open = null;
        return last;
      }
      if (extent.status() == Status.DATA) {
        add(extent.offset() >>> clusterBits, ceil(extent.end()), false);
      } else {
        addZero(extent);
      }
    }
    return ready.poll();
  }

  private void addZero(Extent extent) {
    long first = ceil(extent.offset());
    // What lies behind the disk's end is nobody's, so the last cluster counts as covered.
    long end = extent.end() == diskSize ? ceil(diskSize) : extent.end() >>> clusterBits;
    if (first > end) {
      add(end, first, false);
      return;
    }
    add(extent.offset() >>> clusterBits, first, false);
    add(first, end, true);
    add(end, ceil(extent.end()), false);
  }

  private void add(long from, long end, boolean zero) {
    long start = Math.max(from, done);
    if (start >= end) {
      return;
    }
    done = end;
    ClusterRun last = open;
    if (last != null && last.end() == start && last.zero() == zero) {
      open = new ClusterRun(last.start(), end, zero);
      return;
    }
    if (last != null) {
      ready.add(last);
    }
    open = new ClusterRun(start, end, zero);
  }

  /** The next extent that says something, with the zero extents joined that continue it. */
  private @Nullable Extent nextJoined() throws IOException {
    Extent first = ahead != null ? ahead : nextInside();
    ahead = null;
    if (first == null || first.status() == Status.DATA) {
      return first;
    }
    for (Extent next = nextInside(); next != null; next = nextInside()) {
      if (next.status() != Status.ZERO || next.offset() != first.end()) {
        ahead = next;
        return first;
      }
      first = new Extent(first.offset(), first.length() + next.length(), Status.ZERO);
    }
    return first;
  }

  private @Nullable Extent nextInside() throws IOException {
    for (Extent next = extents.next(); next != null; next = extents.next()) {
      if (next.offset() < lastEnd) {
        throw new IllegalArgumentException(
            "extents must ascend: %s comes behind %d".formatted(next, lastEnd));
      }
      lastEnd = next.end();
      long end = Math.min(next.end(), diskSize);
      if (next.status() != Status.UNALLOCATED && next.offset() < end) {
        return new Extent(next.offset(), end - next.offset(), next.status());
      }
    }
    return null;
  }

  private long ceil(long offset) {
    return (offset + (1L << clusterBits) - 1) >>> clusterBits;
  }
}
