package dev.cowbell.storage.directory;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Moves bytes between buffers and files, in pieces that keep hidden copies small. */
final class Transfer {

  /** NIO copies a heap buffer to a direct one of the same size, which it then keeps per thread. */
  private static final int HEAP_PIECE = 1 << 20;

  private static final long COPY_PIECE = 1L << 30;

  private Transfer() {}

  /** Writes all of {@code src} at an offset and returns how much that was. */
  static int write(FileChannel channel, long at, ByteBuffer src) throws IOException {
    int start = src.position();
    while (src.hasRemaining()) {
      ByteBuffer piece = piece(src);
      int n = channel.write(piece, at + src.position() - start);
      src.position(src.position() + n);
    }
    return src.position() - start;
  }

  /** Fills {@code dst} from an offset on. */
  static void read(FileChannel channel, long at, ByteBuffer dst) throws IOException {
    int start = dst.position();
    while (dst.hasRemaining()) {
      long from = at + dst.position() - start;
      int n = channel.read(piece(dst), from);
      if (n < 0) {
        throw new EOFException(
            "ends at " + channel.size() + ", before " + (from + dst.remaining()));
      }
      dst.position(dst.position() + n);
    }
  }

  /** Copies within the kernel, sharing blocks where the file system can. */
  static void copy(FileChannel from, long at, long length, FileChannel to, long toAt)
      throws IOException {
    to.position(toAt);
    for (long done = 0; done < length; ) {
      long n = from.transferTo(at + done, Math.min(COPY_PIECE, length - done), to);
      if (n <= 0) {
        throw new EOFException("ends at " + (at + done) + ", before " + (at + length));
      }
      done += n;
    }
  }

  private static ByteBuffer piece(ByteBuffer buffer) {
    int length = buffer.isDirect() ? buffer.remaining() : Math.min(buffer.remaining(), HEAP_PIECE);
    return buffer.slice(buffer.position(), length);
  }
}
