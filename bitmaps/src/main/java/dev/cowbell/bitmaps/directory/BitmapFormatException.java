package dev.cowbell.bitmaps.directory;

import java.io.IOException;

/** What an image says about its persistent bitmaps breaks the format's rules or QEMU's limits. */
public final class BitmapFormatException extends IOException {
  private static final long serialVersionUID = 1L;

  public BitmapFormatException(String message) {
    super(message);
  }
}
