package dev.cowbell.qcow2;

import org.jspecify.annotations.Nullable;

/** The image is encrypted and no way to decrypt it was given. */
public final class EncryptedImageException extends ImageException {
  private static final long serialVersionUID = 1L;

  public EncryptedImageException(String message) {
    super(message);
  }

  public EncryptedImageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  EncryptedImageException withMessage(String message) {
    return new EncryptedImageException(message, this);
  }
}
