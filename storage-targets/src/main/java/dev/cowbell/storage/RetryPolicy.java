package dev.cowbell.storage;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * How often and how long to try again. The pause before the n-th retry is drawn evenly from zero to
 * {@code firstPause · 2ⁿ⁻¹}, or to {@code longestPause} if that is less ("full jitter"): many
 * clients that failed together do not come back together.
 *
 * @param attempts how often in all, at least 1
 * @param firstPause the longest first pause
 * @param longestPause the longest pause of all
 * @param limit no retry is begun later than this after the first attempt
 */
public record RetryPolicy(
    int attempts, Duration firstPause, Duration longestPause, Duration limit) {

  /** Rides out a server's restart: ten attempts within five minutes. */
  public static final RetryPolicy PATIENT =
      new RetryPolicy(10, Duration.ofMillis(200), Duration.ofSeconds(30), Duration.ofMinutes(5));

  /** Does not try again. */
  public static final RetryPolicy NEVER =
      new RetryPolicy(1, Duration.ZERO, Duration.ZERO, Duration.ZERO);

  public RetryPolicy {
    if (attempts < 1) {
      throw new IllegalArgumentException("at least one attempt, not " + attempts);
    }
    if (firstPause.isNegative() || longestPause.isNegative() || limit.isNegative()) {
      throw new IllegalArgumentException("times must not be negative");
    }
  }

  /**
   * The pause before the next attempt.
   *
   * @param failures how many attempts have failed, at least 1
   */
  public Duration pauseAfter(int failures, RandomGenerator random) {
    long most = longestPause.toNanos();
    long first = firstPause.toNanos();
    int doublings = Math.min(failures - 1, Long.numberOfLeadingZeros(Math.max(first, 1)) - 1);
    return Duration.ofNanos(random.nextLong(Math.min(most, first << doublings) + 1));
  }

  /** Whether another attempt may be made. */
  public boolean allowsAfter(int failures, Duration sinceFirstAttempt) {
    return failures < attempts && sinceFirstAttempt.compareTo(limit) <= 0;
  }
}
