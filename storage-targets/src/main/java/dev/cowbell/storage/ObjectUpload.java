package dev.cowbell.storage;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * An object in the making. Nobody sees it before {@link #commit}; closing it without a commit
 * leaves nothing behind (or, where the store is out of reach, something that {@link
 * ObjectStore#sweepUploads} clears). Used by one thread at a time. Once a method has failed, the
 * upload can only be closed.
 */
public interface ObjectUpload extends Closeable {

  /** The longest head, in bytes: 64 MiB. */
  int MAX_HEAD_LENGTH = 64 << 20;

  /**
   * Grows the object behind the head by all of {@code body}; the buffer may be reused when the call
   * returns. Blocks while the store is slower than the caller, so that memory stays bounded.
   */
  void append(ByteBuffer body) throws IOException;

  /**
   * Grows the object by bytes of another object in the same store, without moving them through here
   * where it can. On S3 that takes runs of at least 5 MiB.
   *
   * @throws PreconditionFailedException if {@code source} is not the version {@code ifMatch}
   * @throws ObjectNotFoundException if there is no {@code source}
   * @throws StoreException if {@code source} ends before {@code at + length}
   */
  void appendCopy(ObjectKey source, long at, long length, ETag ifMatch) throws IOException;

  /**
   * Puts the head before everything appended and makes the object visible, atomically: readers see
   * what was there before, or all of the new object.
   *
   * @param head exactly as many bytes as {@link ObjectStore#begin} was told
   * @throws PreconditionFailedException if the precondition does not hold (any more)
   */
  ObjectInfo commit(ByteBuffer head) throws IOException;

  /** Gives the upload up if it was not committed. Does nothing the second time. */
  @Override
  void close();
}
