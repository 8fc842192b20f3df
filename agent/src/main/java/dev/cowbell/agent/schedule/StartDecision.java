package dev.cowbell.agent.schedule;

import java.time.Instant;

/** What becomes of a run whose trigger fired. */
public sealed interface StartDecision {

  /** It starts. */
  record Now(RunReason reason) implements StartDecision {}

  /**
   * It waits.
   *
   * @param reason why it will run then
   * @param at until when
   * @param why what it waits for
   */
  record Later(RunReason reason, Instant at, String why) implements StartDecision {}

  /** It does not run this time. */
  record Skip(String why) implements StartDecision {}
}
