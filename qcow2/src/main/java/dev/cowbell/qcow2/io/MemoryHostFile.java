package dev.cowbell.qcow2.io;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** A file in memory; runs of zeroes that were never written take no space. */
public final class MemoryHostFile implements HostFile {
  private static final int PAGE_BITS = 16;
  private static final int PAGE = 1 << PAGE_BITS;

  private final String name;
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private final Map<Long, byte[]> pages = new HashMap<>();
  private long size;

  public MemoryHostFile(String name) {
    this.name = name;
  }

  /** A file with a copy of some content. */
  public MemoryHostFile(String name, byte[] content) {
    this(name);
    write(0, ByteBuffer.wrap(content));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public long size() {
    lock.readLock().lock();
    try {
      return size;
    } finally {
      lock.readLock().unlock();
    }
  }

  @Override
  public int read(long at, ByteBuffer dst) {
    lock.readLock().lock();
    try {
      int length = (int) Math.min(dst.remaining(), Math.max(0, size - at));
      for (int done = 0; done < length; ) {
        int inPage = (int) (at + done) & (PAGE - 1);
        int step = Math.min(PAGE - inPage, length - done);
        byte[] page = pages.get((at + done) >>> PAGE_BITS);
        dst.put(page == null ? new byte[step] : page, page == null ? 0 : inPage, step);
        done += step;
      }
      return length;
    } finally {
      lock.readLock().unlock();
    }
  }

  @Override
  public void write(long at, ByteBuffer src) {
    lock.writeLock().lock();
    try {
      long position = at;
      while (src.hasRemaining()) {
        int inPage = (int) position & (PAGE - 1);
        int step = Math.min(PAGE - inPage, src.remaining());
        src.get(pages.computeIfAbsent(position >>> PAGE_BITS, _ -> new byte[PAGE]), inPage, step);
        position += step;
      }
      size = Math.max(size, position);
    } finally {
      lock.writeLock().unlock();
    }
  }

  @Override
  public void resize(long newSize) {
    lock.writeLock().lock();
    try {
      if (newSize < size) {
        zero(newSize, size);
      }
      size = newSize;
    } finally {
      lock.writeLock().unlock();
    }
  }

  @Override
  public void punchHole(long at, long length) {
    lock.writeLock().lock();
    try {
      zero(at, Math.min(size, at + length));
    } finally {
      lock.writeLock().unlock();
    }
  }

  private void zero(long from, long to) {
    pages
        .entrySet()
        .removeIf(page -> {
          long start = page.getKey() << PAGE_BITS;
          long first = Math.max(from, start);
          long end = Math.min(to, start + PAGE);
          if (first >= end) {
            return false;
          }
          Arrays.fill(page.getValue(), (int) (first - start), (int) (end - start), (byte) 0);
          return end - first == PAGE;
        });
  }

  @Override
  public void flush() {}

  @Override
  public void close() {}
}
