package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import java.io.IOException;
import java.util.Arrays;

/**
 * A part of the disk in which every piece has found its overlay. Pieces are as large as the chain's
 * smallest cluster. Immutable.
 */
final class ChainWindow {
  /** No overlay mentions the piece. */
  static final short OPEN = 0;

  /** An overlay says that the piece reads as zeroes. Greater than 0: overlay number + 1. */
  static final short ZERO = -1;

  private final OverlayChain chain;
  private final long start;
  private final long end;
  private final int unitBits;
  private final short[] owner;
  private final long[][] entries;

  ChainWindow(
      OverlayChain chain, long start, long end, int unitBits, short[] owner, long[][] entries) {
    this.chain = chain;
    this.start = start;
    this.end = end;
    this.unitBits = unitBits;
    this.owner = owner;
    this.entries = entries;
  }

  OverlayChain chain() {
    return chain;
  }

  long start() {
    return start;
  }

  long end() {
    return end;
  }

  /** Takes runs of guest bytes. */
  interface RunConsumer {
    void accept(long at, long length, Extent.Status status) throws IOException;
  }

  /** Hands out the whole window as runs of one status, in order. */
  void forEachRun(RunConsumer consumer) throws IOException {
    int u = 0;
    while (u < owner.length) {
      Extent.Status status = status(owner[u]);
      int from = u++;
      while (u < owner.length && status(owner[u]) == status) {
        u++;
      }
      long at = offset(from);
      consumer.accept(at, Math.min(offset(u), end) - at, status);
    }
  }

  private static Extent.Status status(short owner) {
    return switch (owner) {
      case OPEN -> Extent.Status.UNALLOCATED;
      case ZERO -> Extent.Status.ZERO;
      default -> Extent.Status.DATA;
    };
  }

  private long offset(int unit) {
    return start + ((long) unit << unitBits);
  }

  /** {@link #OPEN}, {@link #ZERO}, or the number of the overlay that decides, plus one. */
  short ownerAt(long at) {
    return owner[(int) ((at - start) >>> unitBits)];
  }

  /** Whether the overlay decides the piece at a guest offset. */
  boolean owns(int overlay, long at) {
    return owner[(int) ((at - start) >>> unitBits)] == overlay + 1;
  }

  /**
   * The first guest offset in {@code [at, limit)} whose owner is another one than at {@code at}.
   */
  long ownedUntil(long at, long limit) {
    int u = (int) ((at - start) >>> unitBits);
    short same = owner[u];
    do {
      u++;
    } while (u < owner.length && owner[u] == same && offset(u) < limit);
    return Math.min(offset(u), limit);
  }

  /** Takes batches of frames. */
  interface BatchConsumer {
    void accept(FrameBatch batch) throws IOException;
  }

  /**
   * Hands out every frame that is needed inside {@code [from, to)}, in batches that lie together in
   * one overlay.
   *
   * @param maxSpan the most bytes that a batch of several frames spans
   */
  void forEachBatch(long from, long to, int maxSpan, BatchConsumer consumer) throws IOException {
    for (int overlay = 0; overlay < entries.length; overlay++) {
      if (entries[overlay] != null) {
        forEachBatch(overlay, from, to, maxSpan, consumer);
      }
    }
  }

  private void forEachBatch(int overlay, long from, long to, int maxSpan, BatchConsumer consumer)
      throws IOException {
    Geometry geometry = chain.overlays().get(overlay).geometry();
    long[] frames = framesOf(overlay, geometry, from, to);
    int first = 0;
    while (first < frames.length) {
      long hostStart = hostOffset(overlay, frames[first], geometry);
      long hostEnd = hostStart;
      int last = first;
      while (last < frames.length) {
        long word = word(overlay, frames[last]);
        long frameStart = CompressedDescriptor.hostOffset(word, geometry);
        long frameEnd = frameStart + CompressedDescriptor.length(word, geometry);
        boolean near = frameStart - hostEnd <= FrameBatch.MAX_GAP;
        if (last > first && !(near && Math.max(hostEnd, frameEnd) - hostStart <= maxSpan)) {
          break;
        }
        hostEnd = Math.max(hostEnd, frameEnd);
        last++;
      }
      consumer.accept(
          new FrameBatch(
              this, overlay, hostStart, hostEnd, Arrays.copyOfRange(frames, first, last)));
      first = last;
    }
  }

  /** The clusters (counted from the window's start) whose frames are needed, by host offset. */
  private long[] framesOf(int overlay, Geometry geometry, long from, long to) {
    int bits = geometry.clusterBits();
    int firstCluster = (int) ((from - start) >>> bits);
    int lastCluster = (int) ((to - start - 1) >>> bits);
    long[] frames = new long[lastCluster - firstCluster + 1];
    int count = 0;
    long previous = -1;
    boolean ascending = true;
    for (int c = firstCluster; c <= lastCluster && c < entries[overlay].length; c++) {
      if (L2Entry.isCompressed(entries[overlay][c]) && ownsAny(overlay, c, bits, from, to)) {
        frames[count++] = c;
        long host = CompressedDescriptor.hostOffset(entries[overlay][c], geometry);
        ascending &= host > previous;
        previous = host;
      }
    }
    long[] exact = Arrays.copyOf(frames, count);
    return ascending ? exact : byHostOffset(overlay, exact, geometry);
  }

  private long[] byHostOffset(int overlay, long[] frames, Geometry geometry) {
    return Arrays.stream(frames)
        .boxed()
        .sorted((a, b) ->
            Long.compare(hostOffset(overlay, a, geometry), hostOffset(overlay, b, geometry)))
        .mapToLong(Long::longValue)
        .toArray();
  }

  private boolean ownsAny(int overlay, int cluster, int bits, long from, long to) {
    long clusterStart = start + ((long) cluster << bits);
    int u = (int) ((Math.max(clusterStart, from) - start) >>> unitBits);
    long until = Math.min(clusterStart + (1L << bits), Math.min(to, end));
    for (; offset(u) < until; u++) {
      if (owner[u] == overlay + 1) {
        return true;
      }
    }
    return false;
  }

  /** The L2 entry of a cluster, counted from the window's start. */
  long word(int overlay, long cluster) {
    return entries[overlay][(int) cluster];
  }

  private long hostOffset(int overlay, long cluster, Geometry geometry) {
    return CompressedDescriptor.hostOffset(word(overlay, cluster), geometry);
  }
}
