package dev.cowbell.qcow2.bitmap;

import dev.cowbell.qcow2.ImageException;
import org.jspecify.annotations.Nullable;

/** The image has no bitmap of that name. */
public final class BitmapNotFoundException extends ImageException {
  private static final long serialVersionUID = 1L;

  BitmapNotFoundException(String message) {
    this(message, null);
  }

  private BitmapNotFoundException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  public BitmapNotFoundException in(String file) {
    return new BitmapNotFoundException(file + ": " + getMessage(), this);
  }
}
