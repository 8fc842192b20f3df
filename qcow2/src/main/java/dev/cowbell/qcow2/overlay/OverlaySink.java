package dev.cowbell.qcow2.overlay;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Where {@code OverlayWriter} puts an overlay: a body that only grows, and a head of fixed length
 * that comes before the body in the object but is handed over last.
 */
public interface OverlaySink {

  /**
   * Appends all of {@code body} behind what was appended so far. The buffer may be reused when the
   * call returns.
   */
  void append(ByteBuffer body) throws IOException;
}
