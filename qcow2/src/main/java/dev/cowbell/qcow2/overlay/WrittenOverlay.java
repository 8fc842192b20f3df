package dev.cowbell.qcow2.overlay;

import java.nio.ByteBuffer;

/**
 * An overlay whose body is in its sink. It becomes an object when the head is put before it.
 *
 * @param head exactly {@link OverlaySummary#headLength()} bytes
 * @param summary what was written
 */
public record WrittenOverlay(ByteBuffer head, OverlaySummary summary) {

  public WrittenOverlay {
    head = head.asReadOnlyBuffer();
  }

  /** A view of the head from its first byte to its last. */
  @Override
  public ByteBuffer head() {
    return head.duplicate();
  }
}
