package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.compress.FrameCodec;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;

/** Goes through what some overlays of a chain say together, in the clusters of their merger. */
final class MergeWalk {

  /** Is told of each cluster that the overlays mention, in guest order. */
  interface Visitor {

    /**
     * One overlay has all of the cluster, in a frame that can be used as it is.
     *
     * @param end the first byte behind which the frame can't reach
     */
    void frame(long cluster, int overlay, long host, long end) throws IOException;

    /** The clusters read as zeroes. */
    void zero(long cluster, long count) throws IOException;

    /** Several overlays have a part of the cluster, or one has it in clusters of another size. */
    void pack(long cluster) throws IOException;
  }

  private final OverlayChain merged;
  private final Geometry geometry;

  MergeWalk(OverlayChain merged, Geometry geometry) {
    this.merged = merged;
    this.geometry = geometry;
  }

  void run(Visitor visitor) throws IOException {
    long at = 0;
    while (at < merged.size()) {
      at = Math.max(at, merged.nextMentioned(at));
      if (at < merged.size()) {
        ChainWindow window = merged.resolve(at, merged.maxWindow());
        visit(window, visitor);
        at = window.end();
      }
    }
  }

  private void visit(ChainWindow window, Visitor visitor) throws IOException {
    int bits = geometry.clusterBits();
    long at = window.start();
    while (at < window.end()) {
      short owner = window.ownerAt(at);
      long same = window.ownedUntil(at, window.end());
      long clusterEnd = Math.min(at + geometry.clusterSize(), window.end());
      if (same < clusterEnd) {
        visitor.pack(at >>> bits);
        at = clusterEnd;
        continue;
      }
      long end = same == window.end() ? same : same & -(long) geometry.clusterSize();
      long count = geometry.clustersFor(end - at);
      if (owner == ChainWindow.ZERO) {
        visitor.zero(at >>> bits, count);
      } else if (owner != ChainWindow.OPEN) {
        data(window, owner - 1, at, count, visitor);
      }
      at = end;
    }
  }

  private void data(ChainWindow window, int overlay, long at, long count, Visitor visitor)
      throws IOException {
    int bits = geometry.clusterBits();
    boolean usable = window.chain().overlays().get(overlay).geometry().clusterBits() == bits;
    long first = (at - window.start()) >>> bits;
    for (long i = 0; i < count; i++) {
      long cluster = (at >>> bits) + i;
      if (usable) {
        long word = window.word(overlay, first + i);
        long host = CompressedDescriptor.hostOffset(word, geometry);
        visitor.frame(cluster, overlay, host, end(overlay, word, host));
      } else {
        visitor.pack(cluster);
      }
    }
  }

  /** The entry names whole sectors; what a frame can't have is nobody's. */
  private long end(int overlay, long word, long host) {
    long named = host + CompressedDescriptor.length(word, geometry);
    long possible = host + FrameCodec.maxFrameLength(geometry.clusterSize());
    long present = merged.overlays().get(overlay).source().size();
    return Math.max(host + 1, Math.min(present, Math.min(named, possible)));
  }
}
