package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** The image has no internal snapshot of the given id or name. */
public final class SnapshotNotFoundException extends ImageException {
  private static final long serialVersionUID = 1L;

  public SnapshotNotFoundException(String message) {
    super(message);
  }

  public SnapshotNotFoundException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  SnapshotNotFoundException withMessage(String message) {
    return new SnapshotNotFoundException(message, this);
  }
}
