package dev.cowbell.qcow2.build;

import java.io.IOException;

/** Lets threads do one step each in the order of their numbers. */
final class InOrder {
  private long turn;
  private boolean failed;

  /** A step that is done in order. */
  interface Step {
    void run() throws IOException;
  }

  /**
   * Waits until all lower numbers have had their turn, then takes the step. When a step fails or
   * {@link #fail} is called, nobody else gets a turn.
   *
   * @return false if another thread failed, so that the step was not taken
   */
  synchronized boolean run(long number, Step step) throws IOException {
    boolean interrupted = false;
    while (turn != number && !failed) {
      try {
        wait();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (failed) {
      return false;
    }
    boolean done = false;
    try {
      step.run();
      done = true;
    } finally {
      turn++;
      failed |= !done;
      notifyAll();
    }
    return true;
  }

  synchronized void fail() {
    failed = true;
    notifyAll();
  }

  synchronized boolean hasFailed() {
    return failed;
  }
}
