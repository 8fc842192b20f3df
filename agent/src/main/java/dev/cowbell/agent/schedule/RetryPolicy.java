package dev.cowbell.agent.schedule;

import java.time.Duration;
import java.util.Optional;

/**
 * How often a failed run is tried again, and when: after {@code first}, then after twice as long
 * each time, at most {@code longest}.
 *
 * @param attempts runs in all, the first included: 1 to 100
 * @param first the wait before the second attempt
 * @param longest the longest wait between two attempts
 */
public record RetryPolicy(int attempts, Duration first, Duration longest) {

  public static final int MAX_ATTEMPTS = 100;

  /** Three attempts, one minute and two minutes apart. */
  public static final RetryPolicy DEFAULT =
      new RetryPolicy(3, Duration.ofMinutes(1), Duration.ofMinutes(30));

  /** No second attempt. */
  public static final RetryPolicy NONE = new RetryPolicy(1, Duration.ZERO, Duration.ZERO);

  public RetryPolicy {
    if (attempts < 1 || attempts > MAX_ATTEMPTS) {
      throw new IllegalArgumentException("attempts must be 1 to 100, found " + attempts);
    }
    if (first.isNegative() || longest.compareTo(first) < 0) {
      throw new IllegalArgumentException("the longest wait must not be shorter than the first");
    }
  }

  /**
   * How long to wait after {@code attempt} failed, counted from 1.
   *
   * @return empty when it was the last
   */
  public Optional<Duration> waitAfter(int attempt) {
    if (attempt >= attempts) {
      return Optional.empty();
    }
    Duration wait = first;
    for (int i = 1; i < attempt && wait.compareTo(longest) < 0; i++) {
      wait = wait.multipliedBy(2);
    }
    return Optional.of(wait.compareTo(longest) < 0 ? wait : longest);
  }
}
