package dev.cowbell.agent.observe;

/**
 * A flag that asks a run to stop at the next safe place. A run looks at it between clusters or
 * requests, cleans up and ends; nothing is interrupted (an interrupt would close file channels).
 */
public final class Cancellation {

  private volatile boolean requested;

  /** Asks the run to stop. */
  public void request() {
    requested = true;
  }

  /** Whether the run was asked to stop. */
  public boolean isRequested() {
    return requested;
  }

  /** Ends the run here if it was asked to stop. */
  public void check() throws CancelledException {
    if (requested) {
      throw new CancelledException();
    }
  }
}
