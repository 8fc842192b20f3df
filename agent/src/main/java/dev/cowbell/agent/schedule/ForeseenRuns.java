package dev.cowbell.agent.schedule;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Foretells when a job is due. */
public final class ForeseenRuns {

  /** How many due times outside of the windows are passed over in search of one inside. */
  private static final int MAX_PASSED_OVER = 100_000;

  private ForeseenRuns() {}

  /**
   * The next due times inside the job's windows, before jitter.
   *
   * @return at most {@code count}; fewer when the job is due less often than that, or never
   */
  public static List<Instant> of(JobSpec job, Instant now, int count) {
    List<Instant> runs = new ArrayList<>();
    Optional<Instant> due = job.timing().after(now);
    for (int i = 0; i < MAX_PASSED_OVER && due.isPresent() && runs.size() < count; i++) {
      if (job.windows().allow(due.get())) {
        runs.add(due.get());
      }
      due = job.timing().after(due.get());
    }
    return runs;
  }
}
