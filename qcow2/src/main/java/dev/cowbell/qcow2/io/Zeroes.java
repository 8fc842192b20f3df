package dev.cowbell.qcow2.io;

import java.nio.ByteBuffer;

/** Fills buffers with zeroes. */
public final class Zeroes {
  private static final byte[] BLOCK = new byte[1 << 14];

  private Zeroes() {}

  /** Fills the buffer from its position to its limit. */
  public static void fill(ByteBuffer buffer) {
    while (buffer.hasRemaining()) {
      buffer.put(BLOCK, 0, Math.min(BLOCK.length, buffer.remaining()));
    }
  }

  /** Fills the next {@code length} bytes of the buffer. */
  public static void fill(ByteBuffer buffer, int length) {
    int limit = buffer.limit();
    buffer.limit(buffer.position() + length);
    fill(buffer);
    buffer.limit(limit);
  }
}
