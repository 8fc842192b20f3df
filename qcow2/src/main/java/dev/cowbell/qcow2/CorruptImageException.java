package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/**
 * The image breaks a rule of its format: a length, an offset or a value that no writer may leave.
 */
public final class CorruptImageException extends ImageException {
  private static final long serialVersionUID = 1L;

  public CorruptImageException(String message) {
    super(message);
  }

  public CorruptImageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  CorruptImageException withMessage(String message) {
    return new CorruptImageException(message, this);
  }
}
