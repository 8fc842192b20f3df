package dev.cowbell.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * Keeps to a bandwidth, shared by all that goes through this store. Only bytes that pass through
 * here count: requests themselves and copies inside the store are free.
 */
public final class ThrottledStore implements ObjectStore {

  /** Long transfers go in pieces of this many bytes, so that they don't come in bursts. */
  private static final int PIECE = 256 << 10;

  private final ObjectStore inner;
  private final Optional<TokenBucket> up;
  private final Optional<TokenBucket> down;

  /**
   * Takes over {@code inner}: closing this closes it.
   *
   * @param up bytes a second to the store at most; unlimited if empty
   * @param down bytes a second from it
   */
  public ThrottledStore(ObjectStore inner, OptionalLong up, OptionalLong down, Pacer pacer) {
    this(inner, bucket(up, pacer), bucket(down, pacer));
  }

  /**
   * Takes over {@code inner}: closing this closes it.
   *
   * @param up limits what goes to the store, perhaps together with what goes elsewhere; unlimited
   *     if empty
   * @param down limits what comes from it
   */
  public ThrottledStore(ObjectStore inner, Optional<TokenBucket> up, Optional<TokenBucket> down) {
    this.inner = inner;
    this.up = up;
    this.down = down;
  }

  private static Optional<TokenBucket> bucket(OptionalLong rate, Pacer pacer) {
    return rate.isPresent()
        ? Optional.of(new TokenBucket(rate.getAsLong(), pacer))
        : Optional.empty();
  }

  private static void take(Optional<TokenBucket> bucket, long bytes) throws IOException {
    if (bucket.isPresent()) {
      try {
        bucket.get().take(bytes);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new StoreException("interrupted while keeping to the bandwidth", e);
      }
    }
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
    take(up, body.remaining());
    return inner.put(key, body, precondition);
  }

  @Override
  public ObjectUpload begin(
      ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException {
    ObjectUpload upload = inner.begin(key, headLength, precondition, expectedLength);
    return up.isPresent() ? new ThrottledUpload(upload) : upload;
  }

  private final class ThrottledUpload implements ObjectUpload {

    private final ObjectUpload upload;

    ThrottledUpload(ObjectUpload upload) {
      this.upload = upload;
    }

    @Override
    public void append(ByteBuffer body) throws IOException {
      while (body.hasRemaining()) {
        ByteBuffer piece = body.slice(body.position(), Math.min(PIECE, body.remaining()));
        take(up, piece.remaining());
        body.position(body.position() + piece.remaining());
        upload.append(piece);
      }
    }

    @Override
    public void appendCopy(ObjectKey source, long at, long length, ETag ifMatch)
        throws IOException {
      upload.appendCopy(source, at, length, ifMatch);
    }

    @Override
    public ObjectInfo commit(ByteBuffer head) throws IOException {
      take(up, head.remaining());
      return upload.commit(head);
    }

    @Override
    public void close() {
      upload.close();
    }
  }

  @Override
  public void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    take(down, dst.remaining());
    inner.read(key, at, dst, ifMatch);
  }

  @Override
  public StoredObject get(ObjectKey key, int limit) throws IOException {
    StoredObject object = inner.get(key, limit);
    take(down, object.info().size());
    return object;
  }

  @Override
  public Optional<ObjectInfo> stat(ObjectKey key) throws IOException {
    return inner.stat(key);
  }

  @Override
  public Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException {
    return inner.list(prefix, after);
  }

  @Override
  public void delete(Collection<ObjectKey> keys) throws IOException {
    inner.delete(keys);
  }

  @Override
  public int sweepUploads(String prefix, Duration minimumAge) throws IOException {
    return inner.sweepUploads(prefix, minimumAge);
  }

  @Override
  public void close() throws IOException {
    inner.close();
  }
}
