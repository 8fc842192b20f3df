package dev.cowbell.qcow2.io;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The ranges of a file that are being written now. A write that reads and writes back bytes of
 * others goes alone in its range; the others share. Whoever conflicts waits for those who came
 * before him, so nobody starves and no two wait for each other, as long as a thread holds one range
 * at a time.
 */
final class WriteRanges {
  /** The end of a range that has none. */
  static final long NO_END = Long.MAX_VALUE;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition released = lock.newCondition();

  /** In the order of their coming. */
  private final List<Range> held = new ArrayList<>();

  /** A hold on bytes from {@code from} to before {@code to}. */
  final class Range implements AutoCloseable {
    private final long from;
    private final long to;
    private final boolean alone;

    private Range(long from, long to, boolean alone) {
      this.from = from;
      this.to = to;
      this.alone = alone;
    }

    private boolean conflictsWith(Range other) {
      return (alone || other.alone) && from < other.to && other.from < to;
    }

    @Override
    public void close() {
      lock.lock();
      try {
        held.removeIf(range -> range == this);
        released.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Waits for a range in which others may write as well. */
  Range shared(long from, long to) {
    return hold(new Range(from, to, false));
  }

  /** Waits for a range in which nobody else writes. */
  Range alone(long from, long to) {
    return hold(new Range(from, to, true));
  }

  private Range hold(Range range) {
    lock.lock();
    try {
      held.add(range);
      while (hasToWait(range)) {
        released.awaitUninterruptibly();
      }
      return range;
    } finally {
      lock.unlock();
    }
  }

  private boolean hasToWait(Range range) {
    for (Range other : held) {
      if (other == range) {
        return false;
      }
      if (range.conflictsWith(other)) {
        return true;
      }
    }
    return false;
  }
}
