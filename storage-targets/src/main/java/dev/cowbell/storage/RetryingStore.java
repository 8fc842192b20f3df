package dev.cowbell.storage;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * Tries again what a store could not do for the moment, and sorts out what a lost answer leaves
 * open: a conditional write that fails the second time may have succeeded the first time.
 *
 * <p>The steps of an {@link ObjectUpload} are not repeated here, since an upload can't be rewound;
 * a store whose uploads may stumble repeats its own requests.
 */
public final class RetryingStore implements ObjectStore {

  private final ObjectStore inner;
  private final Retries retries;

  /** Takes over {@code inner}: closing this closes it. */
  public RetryingStore(ObjectStore inner, Retries retries) {
    this.inner = inner;
    this.retries = retries;
  }

  @Override
  public String url() {
    return inner.url();
  }

  @Override
  public StoreCapabilities capabilities() {
    return inner.capabilities();
  }

  @Override
  public StoreProbe probe() throws IOException {
    return inner.probe();
  }

  @Override
  public ObjectInfo put(ObjectKey key, ByteBuffer body, Precondition precondition)
      throws IOException {
    return retries.call(failures -> {
      try {
        return inner.put(key, body, precondition);
      } catch (PreconditionFailedException e) {
        Optional<ObjectInfo> own = failures == 0 ? Optional.empty() : ifHolds(key, body);
        return own.orElseThrow(() -> e);
      }
    });
  }

  /** The object, if it is just what we wrote: then an earlier attempt's answer was lost. */
  private Optional<ObjectInfo> ifHolds(ObjectKey key, ByteBuffer body) throws IOException {
    Optional<ObjectInfo> present = inner.stat(key);
    if (present.isEmpty() || present.get().size() != body.remaining()) {
      return Optional.empty();
    }
    StoredObject stored = inner.get(key, body.remaining());
    return stored.body().equals(body) ? Optional.of(stored.info()) : Optional.empty();
  }

  @Override
  public ObjectUpload begin(
      ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException {
    return retries.call(_ -> inner.begin(key, headLength, precondition, expectedLength));
  }

  @Override
  public void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    int start = dst.position();
    retries.call(_ -> {
      if (ifMatch.isEmpty()) {
        // What came before the cut may be of another version than what comes now.
        dst.position(start);
      }
      inner.read(key, at + dst.position() - start, dst, ifMatch);
      return dst;
    });
  }

  @Override
  public StoredObject get(ObjectKey key, int limit) throws IOException {
    return retries.call(_ -> inner.get(key, limit));
  }

  @Override
  public Optional<ObjectInfo> stat(ObjectKey key) throws IOException {
    return retries.call(_ -> inner.stat(key));
  }

  @Override
  public Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException {
    ResumingListing listing = new ResumingListing(prefix, after);
    return StreamSupport.stream(
            Spliterators.spliteratorUnknownSize(
                listing, Spliterator.ORDERED | Spliterator.DISTINCT | Spliterator.NONNULL),
            false)
        .onClose(listing::close);
  }

  /** Goes on behind the last object seen when a listing breaks off. */
  private final class ResumingListing implements Iterator<ObjectInfo> {

    private final String prefix;
    private Optional<ObjectKey> last;
    private @Nullable Stream<ObjectInfo> stream;
    private @Nullable Iterator<ObjectInfo> objects;

    ResumingListing(String prefix, Optional<ObjectKey> after) throws IOException {
      this.prefix = prefix;
      this.last = after;
      retries.call(_ -> open());
    }

    private Iterator<ObjectInfo> open() throws IOException {
      if (objects == null) {
        stream = inner.list(prefix, last);
        objects = stream.iterator();
      }
      return objects;
    }

    @Override
    public boolean hasNext() {
      try {
        return retries.call(_ -> {
          try {
            return open().hasNext();
          } catch (UncheckedIOException e) {
            close();
            throw e.getCause();
          }
        });
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public ObjectInfo next() {
      if (!hasNext() || objects == null) {
        throw new NoSuchElementException();
      }
      ObjectInfo next = objects.next();
      last = Optional.of(next.key());
      return next;
    }

    void close() {
      Stream<ObjectInfo> open = stream;
      stream = null;
      objects = null;
      if (open != null) {
        open.close();
      }
    }
  }

  @Override
  public void delete(Collection<ObjectKey> keys) throws IOException {
    List<ObjectKey> all = List.copyOf(keys);
    retries.call(_ -> {
      inner.delete(all);
      return all;
    });
  }

  @Override
  public int sweepUploads(String prefix, Duration minimumAge) throws IOException {
    return retries.call(_ -> inner.sweepUploads(prefix, minimumAge));
  }

  @Override
  public void close() throws IOException {
    inner.close();
  }
}
