package dev.cowbell.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A disk that its guest can change. Offsets and lengths are in bytes and need no alignment. Calls
 * may be made concurrently; what concurrent writes to the same bytes leave is one or the other of
 * them, sector by sector.
 *
 * <p>A change is durable once a {@link #flush} that began after it returned has returned. A crash
 * before that leaves each sector as it was or as it was to be; bytes that were flushed and not
 * written to since stay as they were.
 */
public interface WritableDisk extends MappedDisk {

  /** What may become of the host space below bytes that are made zero. */
  enum ZeroSpace {
    /** It may be given back: QEMU's "unmap". */
    MAY_FREE,
    /** It stays, or is taken now, so that a later write there needs no new space. */
    KEEP
  }

  /**
   * Writes all bytes from {@code src}'s position to its limit.
   *
   * @param at the first guest byte; {@code at + src.remaining()} is at most {@link #size()}
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   * @throws IOException if it can't be done; any sector of the range may then be old or new
   */
  void write(long at, ByteBuffer src) throws IOException;

  /**
   * Makes a range read as zeroes, whatever lies below it in the chain.
   *
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   */
  void writeZeroes(long at, long length, ZeroSpace space) throws IOException;

  /**
   * Says that the guest no longer needs a range. Whole clusters inside it read as zeroes afterwards
   * where the format can say so, and give their space back; of the rest nothing is promised but
   * that it reads as before or as zeroes.
   *
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   */
  void discard(long at, long length) throws IOException;

  /** Returns when all changes that were complete before the call are on stable storage. */
  void flush() throws IOException;
}
