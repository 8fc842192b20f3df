package dev.cowbell.qcow2.bitmap;

import dev.cowbell.qcow2.ImageException;
import org.jspecify.annotations.Nullable;

/**
 * A bitmap, in the state it is in, does not allow what was asked: it is in use, it exists already,
 * or a limit stands against it.
 */
public final class BitmapRefusedException extends ImageException {
  private static final long serialVersionUID = 1L;

  BitmapRefusedException(String message) {
    this(message, null);
  }

  BitmapRefusedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  public BitmapRefusedException in(String file) {
    return new BitmapRefusedException(file + ": " + getMessage(), this);
  }
}
