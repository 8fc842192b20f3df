package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** The image was opened for reading only, or can't be written to as it is. */
public final class ReadOnlyImageException extends ImageException {
  private static final long serialVersionUID = 1L;

  public ReadOnlyImageException(String message) {
    super(message);
  }

  public ReadOnlyImageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  ReadOnlyImageException withMessage(String message) {
    return new ReadOnlyImageException(message, this);
  }
}
