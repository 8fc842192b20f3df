package dev.cowbell.storage;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * An object in the making. Nobody sees it before {@link #commit}; closing it without a commit
 * leaves nothing behind. Used by one thread at a time.
 */
public interface ObjectUpload extends Closeable {

  /**
   * Grows the object behind the head by all of {@code body}; the buffer may be reused when the call
   * returns.
   */
  void append(ByteBuffer body) throws IOException;

  /**
   * Grows the object by bytes of another object in the same store, without moving them through here
   * where it can.
   */
  void appendCopy(ObjectKey source, long at, long length, ETag ifMatch) throws IOException;

  /**
   * Puts the head before everything appended and makes the object visible, atomically: readers see
   * what was there before, or all of the new object.
   *
   * @param head exactly as many bytes as {@link ObjectStore#begin} was told
   */
  ObjectInfo commit(ByteBuffer head) throws IOException;
}
