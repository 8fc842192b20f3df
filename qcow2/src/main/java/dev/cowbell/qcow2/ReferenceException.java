package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/**
 * A reference from one image to another file (a backing file or a data file) can't or may not be
 * followed.
 */
public final class ReferenceException extends ImageException {
  private static final long serialVersionUID = 1L;

  public ReferenceException(String message) {
    super(message);
  }

  public ReferenceException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  ReferenceException withMessage(String message) {
    return new ReferenceException(message, this);
  }
}
