package dev.cowbell.qcow2;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A disk as its guest sees it: a run of bytes, some of which hold data, some of which are known to
 * read as zeroes.
 *
 * <p>A qcow2 image, a raw file, an NBD connection and a restore point are all guest disks. Offsets
 * and lengths are in bytes. Implementations allow concurrent calls.
 */
public interface GuestDisk extends Closeable {

  /** The size of the disk in bytes, as the guest sees it; any value from 0 up. */
  long size();

  /**
   * Reads guest bytes and fills {@code dst} from its position to its limit.
   *
   * @param at the first guest byte; {@code at + dst.remaining()} is at most {@link #size()}
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   * @throws IOException if a byte can't be read; {@code dst} then holds nothing of value
   */
  void read(long at, ByteBuffer dst) throws IOException;

  /**
   * Says what is in a guest range without reading data. The answer covers the range exactly, in
   * order, without gaps or overlaps, and neighbours differ in status. For a range that has more
   * than a bounded number of extents, ask in smaller ranges.
   *
   * @param at the first guest byte
   * @param length the number of bytes; {@code at + length} is at most {@link #size()}
   */
  List<Extent> extents(long at, long length) throws IOException;
}
