package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import java.io.IOException;
import java.util.Optional;

/**
 * Writes overlays front to back: reads a disk's extents, packs them on all cores, and appends them
 * in order. Takes some 20 MiB of memory with two cores, however large the disk is. The format is
 * described in docs/overlay-format.md.
 */
public final class OverlayWriter {
  private final CodecPool pool;

  /** A writer whose overlays are packed by a pool's threads. */
  public OverlayWriter(CodecPool pool) {
    this.pool = pool;
  }

  /**
   * Writes one overlay's body. The overlay is there when the head that is returned stands before
   * it.
   *
   * @param source the disk as it is at the restore point; read by some threads at once
   * @param extents what goes into the overlay; {@link OverlayExtents} has the usual ones
   * @param sink gets the body, from this thread only
   * @throws OverlayCancelledException if the monitor asked for it
   * @throws IOException if the source can't be read or the sink fails; the sink then holds a part
   *     of a body
   */
  public WrittenOverlay write(
      OverlaySpec spec,
      GuestDisk source,
      ExtentCursor extents,
      OverlaySink sink,
      OverlayMonitor monitor)
      throws IOException {
    return write(spec, source, extents, sink, monitor, Optional.empty());
  }

  /**
   * Writes one overlay's body, and tells the digests of its content on the way.
   *
   * @param digests gets them, from this thread only
   */
  public WrittenOverlay write(
      OverlaySpec spec,
      GuestDisk source,
      ExtentCursor extents,
      OverlaySink sink,
      OverlayMonitor monitor,
      Optional<DigestSink> digests)
      throws IOException {
    if (source.size() != spec.diskSize()) {
      throw new IllegalArgumentException(
          "the disk has %d bytes, the overlay is for %d".formatted(source.size(), spec.diskSize()));
    }
    ClusterPlan plan = new ClusterPlan(extents, spec);
    OverlayAppender appender = new OverlayAppender(spec, sink);
    Optional<DigestFeed> feed = digests.map(wanted -> new DigestFeed(spec, wanted));
    try (NativeBuffers buffers = new NativeBuffers();
        BatchPipeline pipeline =
            new BatchPipeline(spec, source, plan, pool, monitor, feed.isPresent(), buffers)) {
      for (Batch batch = pipeline.take(); batch != null; batch = pipeline.take()) {
        try {
          monitor.check();
          appender.append(batch);
          if (feed.isPresent()) {
            feed.get().append(batch);
          }
          monitor.advance(batch.guestBytes());
        } finally {
          pipeline.release(batch);
        }
      }
    }
    return appender.finish();
  }
}
