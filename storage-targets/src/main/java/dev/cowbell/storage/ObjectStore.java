package dev.cowbell.storage;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A flat set of named objects, each replaced as a whole and atomically. A directory and an S3
 * bucket behave alike; one contract test suite holds them to it. All methods may be called
 * concurrently.
 *
 * <p>Failures are {@link StoreException}s, whose kinds say whether an object is missing, a
 * precondition failed, access was denied, or the store could not be reached.
 */
public interface ObjectStore extends Closeable {

  /** The store's URL, without credentials, for messages. */
  String url();

  /** What this store can do beyond the basics, as far as it is known without asking it. */
  StoreCapabilities capabilities();

  /**
   * Stores a small object at once.
   *
   * @return the object as stored
   * @throws PreconditionFailedException if {@code precondition} does not hold; the object is then
   *     unchanged
   */
  ObjectInfo put(ObjectKey key, ByteBuffer body, Precondition precondition) throws IOException;

  /**
   * Starts an object whose body is streamed and whose first bytes come last.
   *
   * @param headLength how many bytes {@link ObjectUpload#commit} will be given; may be 0
   */
  ObjectUpload begin(ObjectKey key, int headLength, Precondition precondition) throws IOException;

  /**
   * Reads object bytes and fills {@code dst} from its position to its limit.
   *
   * @param ifMatch when present, the read fails with {@link PreconditionFailedException} if the
   *     object is another one
   * @throws ObjectNotFoundException if there is no such object
   * @throws StoreException if the object ends before {@code dst} is full
   */
  void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch) throws IOException;

  /** What is known of an object without reading it; empty if there is none. */
  Optional<ObjectInfo> stat(ObjectKey key) throws IOException;

  /**
   * All objects whose keys begin with {@code prefix}, in key order (by UTF-8 bytes). The stream is
   * lazy: errors while listing arrive as {@link java.io.UncheckedIOException}. It must be closed.
   */
  Stream<ObjectInfo> list(String prefix) throws IOException;

  /** Deletes objects; those that do not exist count as deleted. */
  void delete(Collection<ObjectKey> keys) throws IOException;
}
