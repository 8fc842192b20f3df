package dev.cowbell.agent.diskio;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.WritableDisk;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Carries out requests of any length in bounded memory. */
final class IoRequests {

  /** At least the largest cluster, and a multiple of every cluster size. */
  private static final int CHUNK = 4 << 20;

  private final IoDisk target;
  private final GuestDisk disk;

  IoRequests(IoDisk target) {
    this.target = target;
    this.disk = target.disk();
  }

  /** Looks at a chunk of what was read. */
  @FunctionalInterface
  interface ChunkConsumer {
    void accept(long at, ByteBuffer bytes);
  }

  private void checkRange(long at, long length) throws IOException {
    if (at > disk.size() - length) {
      throw new IOException(
          "%d bytes at %d are not inside the disk of %d bytes".formatted(length, at, disk.size()));
    }
  }

  void read(long at, long length, ChunkConsumer consumer) throws IOException {
    checkRange(at, length);
    ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(length, CHUNK));
    for (long done = 0; done < length; done += chunk.limit()) {
      chunk.clear().limit((int) Math.min(CHUNK, length - done));
      disk.read(at + done, chunk);
      consumer.accept(at + done, chunk.flip());
    }
  }

  void write(WritableDisk to, long at, long length, RequestPattern pattern) throws IOException {
    writeChunks(at, length, pattern, to::write);
  }

  void writeCompressed(long at, long length, RequestPattern pattern) throws IOException {
    writeChunks(at, length, pattern, target::writeCompressed);
  }

  @FunctionalInterface
  private interface ChunkWriter {
    void write(long at, ByteBuffer chunk) throws IOException;
  }

  private void writeChunks(long at, long length, RequestPattern pattern, ChunkWriter writer)
      throws IOException {
    checkRange(at, length);
    ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(length, CHUNK));
    for (long done = 0; done < length; ) {
      // Chunks end at multiples of their size, so that clusters stay whole.
      long end = Math.min(length, (at + done) / CHUNK * CHUNK + CHUNK - at);
      chunk.clear().limit((int) (end - done));
      pattern.fill(done, chunk);
      writer.write(at + done, chunk.flip());
      done = end;
    }
  }

  void writeZeroes(WritableDisk to, long at, long length, ZeroSpace space) throws IOException {
    checkRange(at, length);
    to.writeZeroes(at, length, space);
  }

  void discard(WritableDisk to, long at, long length) throws IOException {
    checkRange(at, length);
    to.discard(at, length);
  }

  /** Whether a range holds nothing but one byte; all of it is read. */
  boolean holds(long at, long length, long from, long count, byte pattern) throws IOException {
    boolean[] same = {true};
    read(
        at,
        length,
        (start, bytes) -> {
          long first = Math.max(0, at + from - start);
          long end = Math.min(bytes.limit(), at + from + count - start);
          for (long i = first; i < end && same[0]; i++) {
            same[0] = bytes.get((int) i) == pattern;
          }
        });
    return same[0];
  }
}
