package dev.cowbell.qcow2.io;

import java.io.Closeable;
import java.io.IOException;

/** Moves bytes between native memory and one open file, as one request to the kernel. */
interface Transfer extends Closeable {

  /**
   * Reads up to {@code length} bytes into memory.
   *
   * @return the bytes read, 0 at the file's end; or the negated errno
   */
  int read(long address, long at, int length) throws IOException;

  /**
   * Writes up to {@code length} bytes from memory.
   *
   * @return the bytes written; or the negated errno
   */
  int write(long address, long at, int length) throws IOException;

  @Override
  void close();
}
