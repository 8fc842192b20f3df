package dev.cowbell.storage.s3;

import java.io.InputStream;
import java.nio.ByteBuffer;

/**
 * Reads what is between a buffer's position and limit, without moving the buffer's own position.
 */
final class ByteBufferStream extends InputStream {

  private final ByteBuffer rest;

  ByteBufferStream(ByteBuffer bytes) {
    this.rest = bytes.duplicate();
  }

  @Override
  public int read() {
    return rest.hasRemaining() ? rest.get() & 0xff : -1;
  }

  @Override
  public int read(byte[] b, int off, int len) {
    if (len == 0) {
      return 0;
    }
    int n = Math.min(len, rest.remaining());
    rest.get(b, off, n);
    return n == 0 ? -1 : n;
  }

  @Override
  public int available() {
    return rest.remaining();
  }
}
