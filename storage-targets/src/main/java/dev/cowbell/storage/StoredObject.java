package dev.cowbell.storage;

import java.nio.ByteBuffer;

/**
 * A small object, read as a whole.
 *
 * @param info which version of it
 * @param body its bytes, read-only, from position 0
 */
public record StoredObject(ObjectInfo info, ByteBuffer body) {

  public StoredObject {
    body = body.asReadOnlyBuffer();
  }

  /** The bytes, from the first; each call gives a buffer with a position of its own. */
  @Override
  public ByteBuffer body() {
    return body.duplicate();
  }
}
