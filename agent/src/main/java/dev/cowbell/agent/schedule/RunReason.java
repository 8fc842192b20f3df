package dev.cowbell.agent.schedule;

/** Why a run was started. */
public enum RunReason {
  /** Its time came. */
  SCHEDULED,
  /** Its time passed while it could not start. */
  CATCH_UP,
  /** An earlier attempt failed. */
  RETRY,
  /** Somebody asked for it. */
  REQUESTED,
  /** The agent that ran it died or was stopped before it was done. */
  RECOVERED
}
