package dev.cowbell.qcow2.overlay;

import java.io.IOException;

/** A stored cluster is not what was written. */
public final class DamagedClusterException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String overlay;
  private final long guestOffset;
  private final long length;

  /**
   * @param overlay the name of the overlay
   * @param guestOffset the cluster's first guest byte
   * @param length the cluster's length
   * @param hostOffset where its frame begins in the overlay
   */
  public DamagedClusterException(
      String overlay, long guestOffset, long length, long hostOffset, Throwable cause) {
    super(
        "%s: the cluster of guest bytes %d to %d, stored at %d, is damaged: %s"
            .formatted(
                overlay, guestOffset, guestOffset + length - 1, hostOffset, cause.getMessage()),
        cause);
    this.overlay = overlay;
    this.guestOffset = guestOffset;
    this.length = length;
  }

  public String overlay() {
    return overlay;
  }

  public long guestOffset() {
    return guestOffset;
  }

  public long length() {
    return length;
  }
}
