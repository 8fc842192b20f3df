package dev.cowbell.agent.diskio;

import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.WritableDisk;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** What commands work on: a disk, and what only its format can do. */
public interface IoDisk extends Closeable {

  /** The disk as its guest sees it. */
  MappedDisk disk();

  /** The same for writing, unless it was opened for reading only. */
  Optional<WritableDisk> writable();

  /**
   * Writes whole clusters compressed; the last one of the disk may be shorter.
   *
   * @throws UnsupportedOperationException if the format knows no compression
   * @throws IllegalArgumentException if the range is not made of whole clusters
   */
  void writeCompressed(long at, ByteBuffer data) throws IOException;

  /**
   * Changes the disk's size.
   *
   * @throws IllegalArgumentException if the format can't have that size, with what to say
   */
  void resize(long size) throws IOException;

  /** What {@code info} prints. */
  List<String> info() throws IOException;
}
