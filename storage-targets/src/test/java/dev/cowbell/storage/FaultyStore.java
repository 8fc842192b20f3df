package dev.cowbell.storage;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Stream;

/** A store that fails when told to: before it does what it is asked, or after. */
public final class FaultyStore implements ObjectStore {

  private final ObjectStore inner;
  private int refused;
  private int unanswered;

  public FaultyStore(ObjectStore inner) {
    this.inner = inner;
  }

  /** Does nothing of the next calls. */
  public void refuse(int times) {
    refused = times;
  }

  /** Does the next calls, but fails to say so. */
  public void loseAnswers(int times) {
    unanswered = times;
  }

  /** A call that gives back a value. */
  private interface Call<T> {
    T make() throws IOException;
  }

  private <T> T call(Call<T> call) throws IOException {
    if (refused > 0) {
      refused--;
      throw new StoreUnavailableException("refused");
    }
    if (unanswered > 0) {
      unanswered--;
      call.make();
      throw new StoreUnavailableException("answer lost");
    }
    return call.make();
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
    return call(() -> inner.put(key, body, precondition));
  }

  @Override
  public ObjectUpload begin(
      ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException {
    return call(() -> inner.begin(key, headLength, precondition, expectedLength));
  }

  /** Half of the bytes come through when the answer is lost. */
  @Override
  public void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    if (unanswered > 0) {
      int half = dst.remaining() / 2;
      ByteBuffer part = dst.slice(dst.position(), half);
      dst.position(dst.position() + half);
      call(() -> {
        inner.read(key, at, part, ifMatch);
        return part;
      });
    } else {
      call(() -> {
        inner.read(key, at, dst, ifMatch);
        return dst;
      });
    }
  }

  @Override
  public StoredObject get(ObjectKey key, int limit) throws IOException {
    return call(() -> inner.get(key, limit));
  }

  @Override
  public Optional<ObjectInfo> stat(ObjectKey key) throws IOException {
    return call(() -> inner.stat(key));
  }

  /** Fails at each object once that it is told to. */
  @Override
  public Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException {
    return inner
        .list(prefix, after)
        .map(object -> {
          try {
            return call(() -> object);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  @Override
  public void delete(Collection<ObjectKey> keys) throws IOException {
    call(() -> {
      inner.delete(keys);
      return keys;
    });
  }

  @Override
  public int sweepUploads(String prefix, Duration minimumAge) throws IOException {
    return call(() -> inner.sweepUploads(prefix, minimumAge));
  }

  @Override
  public void close() throws IOException {
    inner.close();
  }
}
