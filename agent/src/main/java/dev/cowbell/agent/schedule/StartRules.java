package dev.cowbell.agent.schedule;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** Decides, purely, whether a run whose trigger fired starts now, later or not at all. */
final class StartRules {

  /** How many missed due times are looked at in search of one inside the windows. */
  private static final int MAX_MISSED = 100_000;

  private StartRules() {}

  /**
   * A regular trigger fired.
   *
   * @param due when it should have fired
   * @param previous the due time before, from which on runs may have been missed
   */
  static StartDecision ofRegular(
      JobSpec job, RunRequest request, Instant due, Optional<Instant> previous, Instant now) {
    boolean regular = job.timing().after(due.minusSeconds(1)).filter(due::equals).isPresent();
    if (!regular) {
      return ofCatchUp(job, due, previous, now);
    }
    if (!job.windows().allow(due)) {
      return new StartDecision.Skip("due outside of its windows");
    }
    Instant start = jittered(job, request, due);
    return start.isAfter(now)
        ? new StartDecision.Later(RunReason.SCHEDULED, start, "jitter")
        : ofWaiting(job, RunReason.SCHEDULED, now);
  }

  /** The trigger fired late, in place of all due times that passed. */
  private static StartDecision ofCatchUp(
      JobSpec job, Instant due, Optional<Instant> previous, Instant now) {
    return previous.isPresent() && !missedAny(job, previous.get(), due)
        ? new StartDecision.Skip("what was missed was due outside of its windows")
        : ofWaiting(job, RunReason.CATCH_UP, now);
  }

  private static boolean missedAny(JobSpec job, Instant from, Instant to) {
    Optional<Instant> missed = job.timing().after(from);
    for (int i = 0; i < MAX_MISSED && missed.isPresent() && !missed.get().isAfter(to); i++) {
      if (job.windows().allow(missed.get())) {
        return true;
      }
      missed = job.timing().after(missed.get());
    }
    return missed.isPresent() && !missed.get().isAfter(to);
  }

  /** A run that is due or overdue starts unless it must wait for a window. */
  static StartDecision ofWaiting(JobSpec job, RunReason reason, Instant now) {
    if (reason == RunReason.REQUESTED || job.windows().allow(now)) {
      return new StartDecision.Now(reason);
    }
    return job.windows()
        .nextAllowed(now)
        .<StartDecision>map(at -> new StartDecision.Later(reason, at, "its window"))
        .orElseGet(() -> new StartDecision.Skip("its windows never open"));
  }

  /** The moment inside the jitter that is this VM's for this due time; inside the window too. */
  private static Instant jittered(JobSpec job, RunRequest request, Instant due) {
    Duration room = job.jitter();
    Optional<Instant> closing = job.windows().closing(due);
    if (closing.isPresent()) {
      Duration open = Duration.between(due, closing.get()).minusSeconds(1);
      room = open.compareTo(room) < 0 ? open : room;
    }
    long span = room.toMillis();
    if (span <= 0) {
      return due;
    }
    long mixed =
        (request.job() + "/" + request.vm() + "/" + due.getEpochSecond()).hashCode()
            * 0x9E3779B97F4A7C15L;
    return due.plusMillis(Math.floorMod(mixed >>> 16, span + 1));
  }
}
