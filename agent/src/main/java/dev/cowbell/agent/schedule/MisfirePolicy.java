package dev.cowbell.agent.schedule;

/** What becomes of runs whose time passed while they could not start. */
public enum MisfirePolicy {
  /** One run makes up for all that were missed, as soon as it may start. */
  RUN_ONCE,
  /** They are left out; the next regular run is the next one. */
  SKIP
}
