package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** The image is well formed as far as can be told, but uses something that can't be read here. */
public final class UnsupportedFeatureException extends ImageException {
  private static final long serialVersionUID = 1L;

  public UnsupportedFeatureException(String message) {
    super(message);
  }

  public UnsupportedFeatureException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  UnsupportedFeatureException withMessage(String message) {
    return new UnsupportedFeatureException(message, this);
  }
}
