package dev.cowbell.storage;

import java.time.Duration;

/** Elapsed time, and waiting for it to elapse: what tests replace so that they need not wait. */
public interface Pacer {

  /** The running machine's monotonic clock. */
  Pacer SYSTEM =
      new Pacer() {
        @Override
        public long nanoTime() {
          return System.nanoTime();
        }

        @Override
        public void sleep(Duration pause) throws InterruptedException {
          Thread.sleep(pause);
        }
      };

  /** Nanoseconds since some moment, as {@link System#nanoTime}. */
  long nanoTime();

  /** Returns when {@code pause} has passed. */
  void sleep(Duration pause) throws InterruptedException;
}
