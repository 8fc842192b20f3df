package dev.cowbell.qcow2.overlay;

import java.io.IOException;
import java.nio.ByteBuffer;

/** The bytes of one stored overlay, wherever they are kept. Calls may be concurrent. */
public interface OverlaySource {

  /** A name for messages: usually the object's key. */
  String name();

  /** The length of the object in bytes. */
  long size();

  /**
   * Reads bytes of the object and fills {@code dst} from its position to its limit.
   *
   * @param at the first byte; {@code at + dst.remaining()} is at most {@link #size()}
   */
  void read(long at, ByteBuffer dst) throws IOException;
}
