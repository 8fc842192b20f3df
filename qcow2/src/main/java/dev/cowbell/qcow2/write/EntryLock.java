package dev.cowbell.qcow2.write;

import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.StampedLock;

/**
 * Keeps an image's entries as they are, for many threads, or lets one thread change them.
 *
 * <p>A {@link StampedLock} alone lets every newcomer share it while others do, and two threads that
 * read without pause keep a third one from ever changing anything. So whoever comes while somebody
 * waits to be alone stands behind it in the line.
 */
final class EntryLock {
  private final StampedLock lock = new StampedLock();
  private final Semaphore line = new Semaphore(1, true);
  private final AtomicInteger waiting = new AtomicInteger();

  /**
   * Waits until nobody changes entries, or wants to; not to be called by a thread that has it.
   *
   * @return for {@link #release}
   */
  long share() {
    if (waiting.get() > 0) {
      line.acquireUninterruptibly();
      line.release();
    }
    return lock.readLock();
  }

  /**
   * Waits until nobody else has it.
   *
   * @return for {@link #release}, by the same thread
   */
  long own() {
    waiting.incrementAndGet();
    line.acquireUninterruptibly();
    long stamp = lock.writeLock();
    waiting.decrementAndGet();
    return stamp;
  }

  /** Lets others share what the calling thread owned, and keeps a share for itself. */
  long downgrade(long stamp) {
    long shared = lock.tryConvertToReadLock(stamp);
    line.release();
    return shared;
  }

  /** Gives up a share, or what the calling thread owned. */
  void release(long stamp) {
    lock.unlock(stamp);
    if (StampedLock.isWriteLockStamp(stamp)) {
      line.release();
    }
  }
}
