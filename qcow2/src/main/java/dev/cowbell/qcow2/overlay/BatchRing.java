package dev.cowbell.qcow2.overlay;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Where batches change hands: from the free ones to those who fill them in any order, and on to the
 * one who takes them in sequence. One lock per hand-over, of which there are a few per mebibyte.
 */
final class BatchRing {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition change = lock.newCondition();
  private final ArrayDeque<Batch> free;
  private final @Nullable Batch[] done;
  private final int size;
  private long nextToTake;
  private long end = Long.MAX_VALUE;
  private boolean stopped;
  private @Nullable Throwable failure;

  BatchRing(List<Batch> batches) {
    free = new ArrayDeque<>(batches);
    done = new Batch[batches.size()];
    size = batches.size();
  }

  /** Waits for a free batch; null when no more are to be filled. */
  @Nullable Batch acquire() {
    lock.lock();
    try {
      while (free.isEmpty() && !stopped) {
        change.awaitUninterruptibly();
      }
      return stopped ? null : free.poll();
    } finally {
      lock.unlock();
    }
  }

  /** Hands a filled batch on. */
  void complete(Batch batch) {
    lock.lock();
    try {
      // Those on their way are within one ring's length of each other, so slots never clash.
      done[(int) (batch.sequence() % size)] = batch;
      change.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Gives a batch back, filled or not. */
  void release(Batch batch) {
    lock.lock();
    try {
      free.add(batch);
      change.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Says that there are so many batches and no more. */
  void end(long count) {
    lock.lock();
    try {
      end = count;
      stopped = true;
      change.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Makes {@link #take} fail, and nobody begin a further batch. */
  void fail(Throwable reason) {
    lock.lock();
    try {
      if (failure == null) {
        failure = reason;
      }
      stopped = true;
      change.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Lets nobody begin a further batch, and waits until all are back or filled. */
  void stopAndDrain() {
    lock.lock();
    try {
      stopped = true;
      change.signalAll();
      while (free.size() + filled() < size) {
        change.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
  }

  private int filled() {
    int filled = 0;
    for (Batch batch : done) {
      filled += batch == null ? 0 : 1;
    }
    return filled;
  }

  /** Waits for the next batch in sequence; null behind the last one. */
  @Nullable Batch take() throws IOException {
    lock.lock();
    try {
      int slot = (int) (nextToTake % size);
      while (failure == null && done[slot] == null && nextToTake < end) {
        change.awaitUninterruptibly();
      }
      rethrowFailure();
      Batch batch = done[slot];
      done[slot] = null;
      nextToTake++;
      return batch;
    } finally {
      lock.unlock();
    }
  }

  private void rethrowFailure() throws IOException {
    switch (failure) {
      case null -> {}
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(failure);
    }
  }
}
