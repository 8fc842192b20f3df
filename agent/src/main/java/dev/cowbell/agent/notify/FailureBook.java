package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Knows which runs failed for good, so that the first one that goes well is a recovery. */
final class FailureBook {

  private record Work(JobName job, VmName vm) {}

  private final Map<Work, Instant> failing = new HashMap<>();

  /**
   * Takes down how a run ended.
   *
   * @param retry whether it is tried again
   * @return what is to be told, if anything is
   */
  Optional<Event> ended(RunRequest request, RunReport report, RetryPolicy retry) {
    Work work = new Work(request.job(), request.vm());
    return switch (report.outcome()) {
      case RunOutcome.Failed(String why, RunOutcome.Again again) -> {
        boolean goesOn =
            again == RunOutcome.Again.MAY_HELP && retry.waitAfter(request.attempt()).isPresent();
        if (goesOn) {
          yield Optional.empty();
        }
        failing.putIfAbsent(work, report.ended());
        yield Optional.of(event(Occasion.FAILURE, request, report, why));
      }
      case RunOutcome.Done() ->
          Optional.ofNullable(failing.remove(work))
              .map(since ->
                  event(
                      Occasion.RECOVERY, request, report, "went well; it had failed at " + since));
      case RunOutcome.Stopped() -> Optional.empty();
    };
  }

  private static Event event(Occasion occasion, RunRequest request, RunReport report, String text) {
    return new Event(occasion, Optional.of(request.job()), request.vm(), report.ended(), text);
  }
}
