package dev.cowbell.agent.verify;

import dev.cowbell.agent.schedule.ForeseenRuns;
import dev.cowbell.agent.schedule.JobSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Reads everything once within a promised time, a share by each run. Each run reads what came due
 * since the last one that found all well; so what missed runs left is made up for by the next.
 *
 * @param period how often each stretch comes due: the promise, less what a run may come late
 * @param longestWait the longest time from any moment to the start of the next run
 */
public record RollingCover(Duration period, Duration longestWait) {

  /** A Monday; which one does not matter, but all agents must come to the same numbers. */
  private static final Instant SOMETIME = Instant.parse("2024-01-01T00:00:00Z");

  private static final int LOOKS = 100;
  private static final int SPANS = 3;

  /** Of the promise, in percent, for the time that runs take. */
  private static final int MARGIN = 5;

  /**
   * Finds out how often everything has to come due.
   *
   * @return empty if the job comes too seldom: less than twice in {@code within}
   */
  public static Optional<RollingCover> of(JobSpec job, Duration within) {
    Duration step = within.dividedBy(LOOKS);
    Duration longest = Duration.ZERO;
    for (int i = 0; i < SPANS * LOOKS; i++) {
      Instant from = SOMETIME.plus(step.multipliedBy(i));
      List<Instant> next = ForeseenRuns.of(job, from, 1);
      if (next.isEmpty()) {
        return Optional.empty();
      }
      Duration wait = Duration.between(from, next.getFirst());
      longest = wait.compareTo(longest) > 0 ? wait : longest;
    }
    longest = longest.plus(step).plus(job.jitter());
    if (longest.multipliedBy(2).compareTo(within) > 0) {
      return Optional.empty();
    }
    return Optional.of(
        new RollingCover(within.minus(longest).multipliedBy(100 - MARGIN).dividedBy(100), longest));
  }

  /**
   * What a run reads.
   *
   * @param covered until when everything that came due was read and well; empty if nobody knows
   * @param now when the run begins
   */
  public Sample.Rolling sample(Optional<Instant> covered, Instant now) {
    Instant after = covered.filter(then -> !then.isAfter(now)).orElse(now.minus(longestWait));
    return new Sample.Rolling(after, now, period);
  }
}
