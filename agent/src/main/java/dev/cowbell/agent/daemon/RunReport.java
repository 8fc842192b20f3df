package dev.cowbell.agent.daemon;

import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.verify.VerifyReport;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What came of a run.
 *
 * @param started when it began
 * @param ended when it was over
 * @param outcome how it ended
 * @param point the point that it made; it may exist although something failed afterwards
 * @param verified what it verified and found
 * @param warnings what deserves a look
 */
public record RunReport(
    Instant started,
    Instant ended,
    RunOutcome outcome,
    Optional<Manifest> point,
    Optional<VerifyReport> verified,
    List<String> warnings) {

  public RunReport {
    warnings = List.copyOf(warnings);
  }
}
