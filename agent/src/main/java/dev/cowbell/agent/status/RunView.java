package dev.cowbell.agent.status;

import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.schedule.RunRequest;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** A run that is over. */
public record RunView(
    RunRequest request,
    Instant started,
    Duration took,
    Outcome outcome,
    String detail,
    Optional<PointId> point) {

  /** How it ended, in a word. */
  public enum Outcome {
    DONE,
    WARNED,
    FAILED,
    STOPPED
  }
}
