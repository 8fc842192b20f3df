package dev.cowbell.qcow2.overlay;

import java.io.Closeable;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;

/** Direct buffers that are given back together, at once, instead of some time by the collector. */
final class NativeBuffers implements Closeable {
  private static final int ALIGNMENT = 4096;

  private final Arena arena = Arena.ofShared();

  /** A buffer of zeroes, big-endian. No thread may use it any more when this is closed. */
  ByteBuffer allocate(int bytes) {
    return arena.allocate(bytes, ALIGNMENT).asByteBuffer();
  }

  @Override
  public void close() {
    arena.close();
  }
}
