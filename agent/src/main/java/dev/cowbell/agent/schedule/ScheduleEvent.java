package dev.cowbell.agent.schedule;

import java.time.Instant;

/** Something the scheduler did that people may want to see. */
public sealed interface ScheduleEvent {

  RunRequest request();

  record Started(RunRequest request) implements ScheduleEvent {}

  record Finished(RunRequest request, RunOutcome outcome) implements ScheduleEvent {}

  record PutOff(RunRequest request, Instant until, String why) implements ScheduleEvent {}

  record Skipped(RunRequest request, String why) implements ScheduleEvent {}

  /** Receives events, on the thread of the run; must be quick and must not throw. */
  @FunctionalInterface
  interface Listener {
    /** Ignores everything. */
    Listener NONE = event -> {};

    void on(ScheduleEvent event);
  }
}
