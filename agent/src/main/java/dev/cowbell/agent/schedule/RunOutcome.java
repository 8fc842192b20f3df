package dev.cowbell.agent.schedule;

/** How a run ended. */
public sealed interface RunOutcome {

  /** The run did what it should. */
  record Done() implements RunOutcome {}

  /**
   * The run failed.
   *
   * @param why what went wrong, in one line
   * @param again whether another attempt may help
   */
  record Failed(String why, Again again) implements RunOutcome {}

  /** The run was asked to stop and did so, leaving nothing behind. */
  record Stopped() implements RunOutcome {}

  /** Whether another attempt may help. */
  enum Again {
    MAY_HELP,
    HOPELESS
  }
}
