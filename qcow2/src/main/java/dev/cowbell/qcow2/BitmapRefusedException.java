package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/**
 * A bitmap, in the state it is in, does not allow what was asked: it is in use, it exists already,
 * or a limit stands against it.
 */
public final class BitmapRefusedException extends ImageException {
  private static final long serialVersionUID = 1L;

  public BitmapRefusedException(String message) {
    super(message);
  }

  public BitmapRefusedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  BitmapRefusedException withMessage(String message) {
    return new BitmapRefusedException(message, this);
  }
}
