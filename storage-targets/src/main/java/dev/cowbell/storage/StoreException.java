package dev.cowbell.storage;

import java.io.IOException;
import java.util.Objects;

/**
 * A store did not do what it was asked. The message is one line: what, which object, what was
 * found.
 */
public class StoreException extends IOException {
  private static final long serialVersionUID = 1L;

  public StoreException(String message) {
    super(message);
  }

  public StoreException(String message, Throwable cause) {
    super(message, cause);
  }

  @Override
  public String getMessage() {
    return Objects.requireNonNullElse(super.getMessage(), getClass().getSimpleName());
  }
}
