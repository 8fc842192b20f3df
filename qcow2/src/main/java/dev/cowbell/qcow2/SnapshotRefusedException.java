package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/**
 * An image, in the state it is in, does not allow what was asked of its internal snapshots: it has
 * bitmaps or a data file, a limit stands against it, or a name can't be used.
 */
public final class SnapshotRefusedException extends ImageException {
  private static final long serialVersionUID = 1L;

  public SnapshotRefusedException(String message) {
    super(message);
  }

  public SnapshotRefusedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  SnapshotRefusedException withMessage(String message) {
    return new SnapshotRefusedException(message, this);
  }
}
