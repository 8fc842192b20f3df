package dev.cowbell.agent.schedule;

import java.time.Duration;

/**
 * How a scheduler works.
 *
 * @param cluster agents with the same name and database share their jobs
 * @param agent names this agent in the database; need not be unique
 * @param concurrency how many runs this agent does at once, at least 1
 * @param store where the scheduler keeps what is due
 * @param pace how often it looks at things
 */
public record SchedulerOptions(
    String cluster, String agent, int concurrency, JobStore store, Pace pace) {

  /**
   * How often the scheduler looks at things.
   *
   * @param misfireAfter a run this late has missed its time
   * @param checkIn how often an agent shows that it is alive; it is taken for dead when it has not
   *     for about twice as long plus 7.5 seconds
   * @param slotWait how long a run waits before it looks again for a free place of its job
   */
  public record Pace(Duration misfireAfter, Duration checkIn, Duration slotWait) {

    public static final Pace DEFAULT =
        new Pace(Duration.ofMinutes(1), Duration.ofSeconds(7), Duration.ofSeconds(10));
  }

  public SchedulerOptions {
    if (concurrency < 1) {
      throw new IllegalArgumentException("concurrency must be at least 1, found " + concurrency);
    }
  }
}
