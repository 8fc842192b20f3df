package dev.cowbell.qcow2;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * An image can't be used as asked. The message is one line that says what, where, what was found
 * and what is allowed; the subclass says which kind of trouble it is.
 */
public abstract class ImageException extends IOException {
  private static final long serialVersionUID = 1L;

  protected ImageException(String message) {
    super(message);
  }

  protected ImageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /**
   * The same trouble, its message led by the file it was found in; this one, if its message is so
   * already. For code that knows the file; decoders of single structures don't.
   *
   * @param file the name of the image file
   */
  public final ImageException in(String file) {
    return getCause() instanceof ImageException ? this : withMessage(file + ": " + getMessage());
  }

  /** The same kind of trouble with another message, and this one as its cause. */
  abstract ImageException withMessage(String message);
}
