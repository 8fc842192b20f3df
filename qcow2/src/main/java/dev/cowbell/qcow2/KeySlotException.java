package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** A key slot can't be added or erased as asked: it is taken, or it is the last one. */
public final class KeySlotException extends ImageException {
  private static final long serialVersionUID = 1L;

  public KeySlotException(String message) {
    super(message);
  }

  public KeySlotException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  KeySlotException withMessage(String message) {
    return new KeySlotException(message, this);
  }
}
