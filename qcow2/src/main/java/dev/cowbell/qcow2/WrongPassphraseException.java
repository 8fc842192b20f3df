package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** The passphrase that was given opens no key slot of the image. */
public final class WrongPassphraseException extends ImageException {
  private static final long serialVersionUID = 1L;

  public WrongPassphraseException(String message) {
    super(message);
  }

  public WrongPassphraseException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  WrongPassphraseException withMessage(String message) {
    return new WrongPassphraseException(message, this);
  }
}
