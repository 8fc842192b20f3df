package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Frames that lie together in one overlay and are read at once. Immutable. */
final class FrameBatch {

  /** Bytes between two frames that are rather read than asked for separately. */
  static final int MAX_GAP = 64 << 10;

  private final ChainWindow window;
  private final int overlay;
  private final long hostStart;
  private final long hostEnd;
  private final long[] clusters;

  /**
   * @param window tells which parts of the clusters are wanted
   * @param overlay the number of the overlay in the chain
   * @param hostStart the first byte to read
   * @param hostEnd the byte behind the last one, perhaps behind the object's end, where zeroes are
   * @param clusters the clusters in the order of their frames, counted from the window's start;
   *     adopted
   */
  FrameBatch(ChainWindow window, int overlay, long hostStart, long hostEnd, long[] clusters) {
    this.window = window;
    this.overlay = overlay;
    this.hostStart = hostStart;
    this.hostEnd = hostEnd;
    this.clusters = clusters;
  }

  ChainWindow window() {
    return window;
  }

  int overlay() {
    return overlay;
  }

  long hostStart() {
    return hostStart;
  }

  int count() {
    return clusters.length;
  }

  /** Cluster {@code i}, counted from the window's start. */
  long cluster(int i) {
    return clusters[i];
  }

  OverlayTables tables() {
    return window.chain().overlays().get(overlay);
  }

  int span() {
    return Math.toIntExact(hostEnd - hostStart);
  }

  /** Reads the frames into the first {@link #span} bytes of a buffer. */
  void read(ByteBuffer packed) throws IOException {
    OverlaySource source = tables().source();
    long present = Math.clamp(source.size() - hostStart, 0, span());
    if (present == 0) {
      throw new CorruptImageException(
          "%s: a frame lies at %d, behind the end of the object at %d"
              .formatted(source.name(), hostStart, source.size()));
    }
    packed.clear().limit((int) present);
    source.read(hostStart, packed);
    packed.limit(span());
    while (packed.hasRemaining()) {
      packed.put((byte) 0);
    }
    packed.flip();
  }
}
