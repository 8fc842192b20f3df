package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import java.io.IOException;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows which runs failed for good, so that the first one that goes well is a recovery, on whatever
 * agent. What the ledger can't take, because it can't be reached, is kept here until it can.
 */
final class FailureBook {

  private static final Logger LOG = LoggerFactory.getLogger(FailureBook.class);

  private final Ledger ledger;
  private final Map<Subject.Runs, Instant> unsaved = new ConcurrentHashMap<>();

  FailureBook(Ledger ledger) {
    this.ledger = ledger;
  }

  /** What is to be told of a run, if it failed and no further attempt follows. */
  static Optional<Event> failure(RunRequest request, RunReport report, RetryPolicy retry) {
    if (!(report.outcome() instanceof RunOutcome.Failed(String why, RunOutcome.Again again))) {
      return Optional.empty();
    }
    boolean goesOn =
        again == RunOutcome.Again.MAY_HELP && retry.waitAfter(request.attempt()).isPresent();
    return goesOn
        ? Optional.empty()
        : Optional.of(event(Occasion.FAILURE, request, report.ended(), why));
  }

  /** What is to be told of a run that went well, if anything about it deserves a look. */
  static Optional<Event> warning(RunRequest request, RunReport report) {
    return report.outcome() instanceof RunOutcome.Done && !report.warnings().isEmpty()
        ? Optional.of(
            event(Occasion.WARNING, request, report.ended(), String.join("; ", report.warnings())))
        : Optional.empty();
  }

  /** Takes down a failure that is told. */
  void failed(Subject.Runs runs, Instant at) {
    try {
      ledger.fail(runs, at);
      unsaved.remove(runs);
    } catch (IOException e) {
      unsaved.putIfAbsent(runs, at);
      LOG.debug("the failure of {} can't be taken down yet", runs, e);
    }
  }

  /** Takes down a run that went well, and says what is to be told of it. */
  Optional<Event> wentWell(Subject.Runs runs, RunRequest request, Instant at) {
    Optional<Instant> here = Optional.ofNullable(unsaved.remove(runs));
    Optional<Instant> since = here;
    try {
      since = ledger.recover(runs, at).or(() -> here);
    } catch (IOException e) {
      // the ledger goes on to say that it failed: the next run that goes well asks again
      LOG.debug("whether {} had failed is not known", runs, e);
    }
    return since.map(
        then -> event(Occasion.RECOVERY, request, at, "went well; it had failed at " + then));
  }

  /** Tries again to take down what could not be. */
  void saveAgain() {
    unsaved.forEach(this::failed);
  }

  private static Event event(Occasion occasion, RunRequest request, Instant at, String text) {
    return new Event(
        occasion, Optional.of(request.job()), request.vm(), at, text, Optional.empty());
  }
}
