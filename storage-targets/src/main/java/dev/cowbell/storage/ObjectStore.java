package dev.cowbell.storage;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A flat set of named objects, each replaced as a whole and atomically. A directory and an S3
 * bucket behave alike; one contract test suite holds them to it. All methods may be called
 * concurrently.
 *
 * <p>No key may also be a folder of another: where {@code a/b} exists, {@code a} may not.
 *
 * <p>Failures are {@link StoreException}s, whose kinds say whether an object is missing, a
 * precondition failed, access was denied, the store is full, or it could not be reached.
 */
public interface ObjectStore extends Closeable {

  /** The longest an object may be, in bytes: 5 TiB, as on S3. */
  long MAX_OBJECT_SIZE = 5L << 40;

  /** The store's URL, without credentials, for messages. */
  String url();

  /** What this store can do beyond the basics, as far as it is known without asking it. */
  StoreCapabilities capabilities();

  /**
   * Tries out what the store can do, with a few small objects under a key prefix {@code
   * cowbell-probe-…}, which are removed again. From then on {@link #capabilities} tells what was
   * found.
   *
   * @throws StoreException if the store can't even be written to, read and listed
   */
  StoreProbe probe() throws IOException;

  /**
   * Stores a small object, at most {@link ObjectUpload#MAX_HEAD_LENGTH} bytes, at once.
   *
   * @param body from its position to its limit; the position is left as it was
   * @return the object as stored
   * @throws PreconditionFailedException if {@code precondition} does not hold; the object is then
   *     unchanged
   */
  ObjectInfo put(ObjectKey key, ByteBuffer body, Precondition precondition) throws IOException;

  /** Starts an object of unknown length: {@link #begin(ObjectKey, int, Precondition, long)}. */
  default ObjectUpload begin(ObjectKey key, int headLength, Precondition precondition)
      throws IOException {
    return begin(key, headLength, precondition, 0);
  }

  /**
   * Starts an object whose body is streamed and whose first bytes come last.
   *
   * <p>The precondition is looked at here, so that a vain upload is not begun, and again at the
   * commit. On S3 that second look is not atomic, since servers ignore conditions there; where two
   * writers may race, the commit point has to be a {@link #put}.
   *
   * @param headLength how many bytes {@link ObjectUpload#commit} will be given, 0 to 64 MiB
   * @param expectedLength about how long the object will be at most, in bytes; 0 if unknown. A
   *     guess that turns out too small costs memory, not correctness.
   */
  ObjectUpload begin(ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException;

  /**
   * Reads object bytes and fills {@code dst} from its position to its limit. When this fails, the
   * position tells how many bytes are valid.
   *
   * @param ifMatch when present, the read fails with {@link PreconditionFailedException} if the
   *     object is another one
   * @throws ObjectNotFoundException if there is no such object
   * @throws StoreException if the object ends before {@code dst} is full
   */
  void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch) throws IOException;

  /**
   * Reads a small object as a whole, together with its version.
   *
   * @param limit the most bytes that are accepted
   * @throws ObjectNotFoundException if there is no such object
   * @throws StoreException if the object is longer than {@code limit}
   */
  StoredObject get(ObjectKey key, int limit) throws IOException;

  /** What is known of an object without reading it; empty if there is none. */
  Optional<ObjectInfo> stat(ObjectKey key) throws IOException;

  /** All objects whose keys begin with {@code prefix}: {@link #list(String, Optional)}. */
  default Stream<ObjectInfo> list(String prefix) throws IOException {
    return list(prefix, Optional.empty());
  }

  /**
   * All objects whose keys begin with {@code prefix}, in key order (by UTF-8 bytes). The stream is
   * lazy: errors while listing arrive as {@link java.io.UncheckedIOException}. It must be closed.
   * What is not an {@link ObjectKey} is not ours and is left out.
   *
   * @param prefix empty, or the beginning of an {@link ObjectKey}
   * @param after when present, only keys that come after it
   */
  Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException;

  /** Deletes objects; those that do not exist count as deleted. */
  void delete(Collection<ObjectKey> keys) throws IOException;

  /**
   * Clears what uploads left behind that were neither committed nor closed, because their process
   * died or its store was out of reach. Objects are never touched.
   *
   * @param prefix only uploads to keys that begin so; a directory's leftovers carry no key and are
   *     cleared whatever it is
   * @param minimumAge how long ago they were begun at least, by the store's clock. Longer than any
   *     upload takes; a directory, where it can tell that the owner is alive or gone, goes by that.
   * @return how many were cleared
   */
  int sweepUploads(String prefix, Duration minimumAge) throws IOException;
}
