package dev.cowbell.qcow2.overlay;

import java.io.IOException;

/** A run ended because its {@link OverlayMonitor} asked for it. */
public final class OverlayCancelledException extends IOException {
  private static final long serialVersionUID = 1L;

  public OverlayCancelledException() {
    super("cancelled");
  }
}
