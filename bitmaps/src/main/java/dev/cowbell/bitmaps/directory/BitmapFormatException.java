package dev.cowbell.bitmaps.directory;

import java.io.IOException;

/** What an image says about its persistent bitmaps breaks the format's rules or QEMU's limits. */
public final class BitmapFormatException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String message;

  public BitmapFormatException(String message) {
    super(message);
    this.message = message;
  }

  @Override
  public String getMessage() {
    return message;
  }
}
