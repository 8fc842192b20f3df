package dev.cowbell.agent.status;

import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.schedule.ForeseenRuns;
import java.time.Instant;
import java.util.Collection;

/** Whether a VM's restore points are as they should be. */
public enum Health {
  /** The newest point is as young as the jobs promise. */
  GOOD,
  /** A job was due twice since the newest point. */
  LATE,
  /** There is no point, or one can't be used, or the repository can't be read. */
  BAD;

  /**
   * Judges.
   *
   * @param jobs those that may back the VM up; without any, nothing is ever late
   */
  public static Health of(VmView view, Collection<Configuration.Job> jobs, Instant now) {
    if (view.problem().isPresent() || view.unreadable() > 0 || view.newest().isEmpty()) {
      return BAD;
    }
    PointView newest = view.newest().get();
    if (newest.chain().isEmpty()) {
      return BAD;
    }
    boolean missed =
        jobs.stream()
            .filter(job -> job.verification().isEmpty())
            .filter(job -> job.spec().vms().contains(view.vm()))
            .filter(job -> job.repository().text().equals(view.repository()))
            .anyMatch(job -> isMissed(job, newest.time(), now));
    return missed ? LATE : GOOD;
  }

  private static boolean isMissed(Configuration.Job job, Instant newest, Instant now) {
    return ForeseenRuns.of(job.spec(), newest.plusSeconds(1), 2).stream()
            .filter(due -> due.plus(job.spec().jitter()).isBefore(now))
            .count()
        >= 2;
  }

  /** The word for it, in lower case. */
  public String word() {
    return RunMetrics.lower(this);
  }
}
