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
   * The same trouble, its message led by the file it was found in. For code that knows the file;
   * decoders of single structures don't.
   *
   * @param file the name of the image file
   */
  public abstract ImageException in(String file);
}
