package dev.cowbell.agent.diskio;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** What a write command fills its range with. */
sealed interface RequestPattern {

  /** Fills {@code dst} from its position to its limit, {@code at} bytes into the request. */
  void fill(long at, ByteBuffer dst) throws IOException;

  /** One byte, again and again. */
  record Octet(byte value) implements RequestPattern {
    @Override
    public void fill(long at, ByteBuffer dst) {
      Arrays.fill(
          dst.array(), dst.arrayOffset() + dst.position(), dst.arrayOffset() + dst.limit(), value);
      dst.position(dst.limit());
    }
  }

  /** A file's content, again and again. */
  record Content(Path file, long size) implements RequestPattern {

    static Content of(String name) throws IoCommandException {
      Path file = Path.of(name);
      try {
        long size = Files.size(file);
        if (size == 0) {
          throw IoCommandException.onError(name + ": file is empty");
        }
        return new Content(file, size);
      } catch (IOException e) {
        throw IoCommandException.onError(name + ": " + SystemError.of(e));
      }
    }

    @Override
    public void fill(long at, ByteBuffer dst) throws IOException {
      try (FileChannel channel = FileChannel.open(file)) {
        int end = dst.limit();
        long from = at % size;
        while (dst.position() < end) {
          dst.limit((int) Math.min(end, dst.position() + size - from));
          int count = channel.read(dst, from);
          if (count < 0) {
            throw new IOException(file + ": became shorter");
          }
          from = (from + count) % size;
          dst.limit(end);
        }
      }
    }
  }
}
