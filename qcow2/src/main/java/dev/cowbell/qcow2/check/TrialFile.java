package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * A file as it would be after writes that are only tried: they stay in memory, the file below is
 * never changed. Closing it leaves the file below open. Not safe for several threads.
 */
final class TrialFile implements HostFile {
  private static final int PAGE_BITS = 12;
  private static final int PAGE = 1 << PAGE_BITS;

  private final HostFile file;
  private final int maxPages;
  private final Map<Long, byte[]> pages = new HashMap<>();
  private long size;

  /** The trial wrote so much that it had to end. */
  static final class FullException extends IOException {
    private static final long serialVersionUID = 1;

    FullException() {
      super("a trial would write too much");
    }
  }

  /**
   * @param maxBytes how much may be written, in whole pages of {@value #PAGE} bytes
   */
  TrialFile(HostFile file, long maxBytes) throws IOException {
    this.file = file;
    this.maxPages = (int) (maxBytes >>> PAGE_BITS);
    this.size = file.size();
  }

  @Override
  public String name() {
    return file.name();
  }

  @Override
  public Object identity() {
    return this;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public int read(long at, ByteBuffer dst) throws IOException {
    int length = Math.clamp(size - at, 0, dst.remaining());
    int start = dst.position();
    int limit = dst.limit();
    file.readPadded(at, dst.limit(start + length));
    dst.limit(limit);
    for (long page = at >>> PAGE_BITS; page << PAGE_BITS < at + length; page++) {
      byte[] written = pages.get(page);
      if (written != null) {
        long from = Math.max(at, page << PAGE_BITS);
        long to = Math.min(at + length, (page + 1) << PAGE_BITS);
        dst.put(
            start + (int) (from - at),
            written,
            (int) from & (PAGE - 1),
            Math.toIntExact(to - from));
      }
    }
    return length;
  }

  /** As data, whatever the file below knows of holes. */
  @Override
  public long nextData(long at) {
    return at;
  }

  @Override
  public long nextHole(long at) {
    return size;
  }

  @Override
  public long storedBytes() {
    return size;
  }

  /**
   * @throws FullException if more would be written than is allowed
   */
  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    for (long to = at; src.hasRemaining(); ) {
      int offset = (int) to & (PAGE - 1);
      int length = Math.min(PAGE - offset, src.remaining());
      src.get(page(to >>> PAGE_BITS), offset, length);
      to += length;
      size = Math.max(size, to);
    }
  }

  private byte[] page(long index) throws IOException {
    byte[] page = pages.get(index);
    if (page == null) {
      if (pages.size() >= maxPages) {
        throw new FullException();
      }
      page = new byte[PAGE];
      read(index << PAGE_BITS, ByteBuffer.wrap(page));
      pages.put(index, page);
    }
    return page;
  }

  @Override
  public void resize(long newSize) {
    throw new UnsupportedOperationException("a repair never resizes the file");
  }

  @Override
  public void punchHole(long at, long length) {
    throw new UnsupportedOperationException("a repair never gives space back");
  }

  @Override
  public boolean allocate(long at, long length) {
    return false;
  }

  @Override
  public void flush() {}

  @Override
  public void close() {}
}
