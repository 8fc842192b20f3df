package dev.cowbell.storage;

import java.time.Duration;

/**
 * Limits a rate. Tokens flow in evenly, up to a tenth of a second's worth when unused; who takes
 * more than there are waits until the debt is paid. So the rate holds over any longer time, however
 * large the single amounts. Several stores may share one.
 */
public final class TokenBucket {

  private static final long NANOS = 1_000_000_000;

  private final double perNano;
  private final double capacity;
  private final Pacer pacer;
  private double tokens;
  private long filledAt;

  /**
   * @param perSecond at least 1
   */
  public TokenBucket(long perSecond, Pacer pacer) {
    if (perSecond < 1) {
      throw new IllegalArgumentException("a rate is at least 1 a second, not " + perSecond);
    }
    this.perNano = (double) perSecond / NANOS;
    this.capacity = perSecond / 10.0;
    this.pacer = pacer;
    this.tokens = capacity;
    this.filledAt = pacer.nanoTime();
  }

  /** Takes tokens, and returns when they have been earned. */
  void take(long amount) throws InterruptedException {
    Duration debt = debtAfter(amount);
    if (debt.isPositive()) {
      pacer.sleep(debt);
    }
  }

  private synchronized Duration debtAfter(long amount) {
    long now = pacer.nanoTime();
    tokens = Math.min(capacity, tokens + (now - filledAt) * perNano) - amount;
    filledAt = now;
    return Duration.ofNanos(tokens < 0 ? (long) Math.ceil(-tokens / perNano) : 0);
  }
}
