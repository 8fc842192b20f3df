package dev.cowbell.storage.s3;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** A bounded number of equal pieces of memory, used over and over by the parts of one upload. */
final class PartMemory {

  static final int PIECE = 256 << 10;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition returned = lock.newCondition();
  private final Deque<byte[]> free = new ArrayDeque<>();
  private long limit;
  private long taken;

  /**
   * @param limit bytes
   */
  PartMemory(long limit) {
    this.limit = limit;
  }

  /** Allows at least so many bytes from now on. */
  void allow(long bytes) {
    lock.lock();
    try {
      limit = Math.max(limit, bytes);
      returned.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Takes a piece, waiting until one is given back if all are taken. */
  byte[] take() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (taken + PIECE > limit) {
        returned.await();
      }
      taken += PIECE;
      byte[] piece = free.poll();
      return piece == null ? new byte[PIECE] : piece;
    } finally {
      lock.unlock();
    }
  }

  void giveBack(byte[] piece) {
    lock.lock();
    try {
      taken -= PIECE;
      free.push(piece);
      returned.signal();
    } finally {
      lock.unlock();
    }
  }
}
