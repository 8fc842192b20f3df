package dev.cowbell.qcow2.build;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/** Slows a copy down to a number of bytes per second by keeping its threads waiting. */
public final class PacedListener implements CopyListener {
  /** A chunk waits no longer than this at a time, so that the copy can be called off. */
  private static final long STEP = TimeUnit.MILLISECONDS.toNanos(100);

  private final CopyListener listener;
  private final long bytesPerSecond;
  private final ReentrantLock lock = new ReentrantLock();
  private long free = System.nanoTime();

  /**
   * @param bytesPerSecond at least 1
   */
  public PacedListener(CopyListener listener, long bytesPerSecond) {
    this.listener = listener;
    this.bytesPerSecond = bytesPerSecond;
  }

  @Override
  public void copied(long bytes) throws IOException {
    listener.copied(bytes);
    long mine;
    lock.lock();
    try {
      long now = System.nanoTime();
      double takes = (double) bytes / bytesPerSecond * TimeUnit.SECONDS.toNanos(1);
      free = (free - now > 0 ? free : now) + (long) takes;
      mine = free;
    } finally {
      lock.unlock();
    }
    for (long left = mine - System.nanoTime(); left > 0; left = mine - System.nanoTime()) {
      LockSupport.parkNanos(Math.min(left, STEP));
      listener.copied(0);
    }
  }
}
