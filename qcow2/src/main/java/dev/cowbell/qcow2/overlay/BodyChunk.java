package dev.cowbell.qcow2.overlay;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A piece of an overlay's body in memory, with room before it for the end of the piece before,
 * since frames lie across pieces. Goes back to where it came from when nobody holds it any more.
 */
final class BodyChunk {
  private final ByteBuffer buffer;
  private final int overlap;
  private final BlockingQueue<BodyChunk> home;
  private final AtomicInteger holders = new AtomicInteger();
  private long start;

  private int frames;
  private long[] host = new long[256];
  private long[] hostEnd = new long[256];
  private long[] guest = new long[256];

  /**
   * @param length the bytes of a piece
   * @param overlap the bytes kept of the one before: at least as many as a frame can have
   */
  BodyChunk(int length, int overlap, NativeBuffers buffers, BlockingQueue<BodyChunk> home) {
    this.overlap = overlap;
    this.buffer = buffers.allocate(overlap + length);
    this.home = home;
  }

  /** Reads a piece; it has one holder then. */
  BodyChunk read(OverlaySource source, long at, int length) throws IOException {
    holders.set(1);
    frames = 0;
    start = at;
    try {
      source.read(at, buffer.clear().limit(overlap + length).position(overlap));
      return this;
    } catch (IOException | RuntimeException | Error e) {
      release();
      throw e;
    }
  }

  /** Puts the end of the piece before this one where it belongs. */
  void continues(BodyChunk before) {
    int end = before.buffer.limit();
    buffer.put(0, before.buffer, end - overlap, overlap);
  }

  /** A view of the piece. */
  ByteBuffer bytes() {
    return buffer.slice(overlap, buffer.limit() - overlap);
  }

  /** The object offset behind the piece. */
  long end() {
    return start + buffer.limit() - overlap;
  }

  void addFrame(FrameSequence frame) {
    if (frames == host.length) {
      host = Arrays.copyOf(host, 2 * frames);
      hostEnd = Arrays.copyOf(hostEnd, 2 * frames);
      guest = Arrays.copyOf(guest, 2 * frames);
    }
    host[frames] = frame.hostOffset();
    hostEnd[frames] = frame.hostEnd();
    guest[frames] = frame.guestOffset();
    frames++;
  }

  int frames() {
    return frames;
  }

  ByteBuffer buffer() {
    return buffer;
  }

  /** Where a frame is in the buffer. */
  int frameAt(int frame) {
    return (int) (host[frame] - start) + overlap;
  }

  /** Where it ends at the latest. */
  int frameLimit(int frame) {
    return (int) (hostEnd[frame] - start) + overlap;
  }

  long hostOffset(int frame) {
    return host[frame];
  }

  long guestOffset(int frame) {
    return guest[frame];
  }

  /** One more holds it. */
  void hold() {
    holders.incrementAndGet();
  }

  void release() {
    if (holders.decrementAndGet() == 0) {
      home.add(this);
    }
  }
}
