package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** Somebody else uses the image file in a way that rules out what was asked. */
public final class ImageLockedException extends ImageException {
  private static final long serialVersionUID = 1L;

  public ImageLockedException(String message) {
    super(message);
  }

  public ImageLockedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  ImageLockedException withMessage(String message) {
    return new ImageLockedException(message, this);
  }
}
