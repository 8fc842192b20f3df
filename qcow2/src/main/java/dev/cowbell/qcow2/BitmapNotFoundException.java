package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** The image has no bitmap of that name. */
public final class BitmapNotFoundException extends ImageException {
  private static final long serialVersionUID = 1L;

  public BitmapNotFoundException(String message) {
    super(message);
  }

  public BitmapNotFoundException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  BitmapNotFoundException withMessage(String message) {
    return new BitmapNotFoundException(message, this);
  }
}
