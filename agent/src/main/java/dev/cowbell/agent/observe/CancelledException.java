package dev.cowbell.agent.observe;

import java.io.IOException;

/** The run was asked to stop and does so; what it had begun is being cleaned up. */
public final class CancelledException extends IOException {
  private static final long serialVersionUID = 1L;

  public CancelledException() {
    super("interrupted");
  }
}
