package dev.cowbell.storage;

import java.time.Duration;

/** Time that passes only by sleeping. */
final class SteppedPacer implements Pacer {

  private long nanos;

  @Override
  public synchronized long nanoTime() {
    return nanos;
  }

  @Override
  public synchronized void sleep(Duration pause) {
    nanos += pause.toNanos();
  }

  synchronized Duration passed() {
    return Duration.ofNanos(nanos);
  }
}
