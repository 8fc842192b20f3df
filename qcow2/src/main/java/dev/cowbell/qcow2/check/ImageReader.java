package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads structures of an image; what lies behind the file's end reads as zeroes. */
final class ImageReader {
  private static final byte[] ZEROES = new byte[1 << 12];

  private final HostFile file;

  ImageReader(HostFile file) {
    this.file = file;
  }

  /** Fills a buffer from position to limit and flips it back to that position. */
  ByteBuffer read(long at, ByteBuffer dst) throws IOException {
    int start = dst.position();
    file.read(at, dst);
    while (dst.hasRemaining()) {
      dst.put(ZEROES, 0, Math.min(ZEROES.length, dst.remaining()));
    }
    return dst.position(start);
  }

  ByteBuffer read(long at, int length) throws IOException {
    return read(at, ByteBuffer.allocate(length));
  }
}
