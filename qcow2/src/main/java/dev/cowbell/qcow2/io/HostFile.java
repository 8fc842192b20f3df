package dev.cowbell.qcow2.io;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The file that an image lives in: positional reads and writes, nothing else. Offsets and lengths
 * are in bytes. All methods may be called concurrently; what concurrent writes to the same bytes
 * leave is not defined.
 */
public interface HostFile extends Closeable {

  /** A name for messages: usually the path. */
  String name();

  /** What tells this file from others: equal for two openings of the same file. */
  default Object identity() {
    return this;
  }

  /** The present size in bytes. */
  long size() throws IOException;

  /**
   * Reads until {@code dst} is full or the file ends, whichever comes first.
   *
   * @return the number of bytes read, 0 when {@code at} is at or behind the end
   */
  int read(long at, ByteBuffer dst) throws IOException;

  /** Reads until {@code dst} is full, with zeroes for what lies behind the file's end. */
  default void readPadded(long at, ByteBuffer dst) throws IOException {
    read(at, dst);
    Zeroes.fill(dst);
  }

  /**
   * The first byte at or behind {@code at} that may be something else than zero, or {@link
   * #size()}. Where the host doesn't tell, {@code at} itself.
   *
   * @param at inside the file
   */
  default long nextData(long at) throws IOException {
    return at;
  }

  /**
   * The first byte at or behind {@code at} from which on the host knows of zeroes, or {@link
   * #size()}.
   *
   * @param at inside the file
   */
  default long nextHole(long at) throws IOException {
    return size();
  }

  /**
   * The bytes that the file takes of its host: holes are left out, what is allocated and not yet
   * written counts. Where the host doesn't tell, the bytes that are no holes.
   */
  default long storedBytes() throws IOException {
    long size = size();
    long stored = 0;
    for (long at = 0; at < size; ) {
      long data = nextData(at);
      if (data >= size) {
        break;
      }
      long hole = Math.clamp(nextHole(data), data + 1, size);
      stored += hole - data;
      at = hole;
    }
    return stored;
  }

  /** Writes all of {@code src}, growing the file when it ends behind the present end. */
  void write(long at, ByteBuffer src) throws IOException;

  /**
   * Makes the file exactly {@code size} bytes long; new bytes read as zeroes. A block device stays
   * as it is when it is longer.
   *
   * @throws IOException if it can't be done; a block device never grows
   */
  void resize(long size) throws IOException;

  /** Makes a range inside the file read as zeroes, giving its space back where the host can. */
  void punchHole(long at, long length) throws IOException;

  /**
   * Takes space on the host for a range, so that writing there can't fail for want of it. Content
   * stays as it is; where the file ended before, it reads as zeroes.
   *
   * @return false where the host has no such operation; nothing has changed then
   * @throws IOException if there is not space enough
   */
  default boolean allocate(long at, long length) throws IOException {
    return false;
  }

  /** Returns when everything written before is on stable storage. */
  void flush() throws IOException;
}
