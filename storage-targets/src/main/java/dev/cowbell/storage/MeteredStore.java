package dev.cowbell.storage;

import dev.cowbell.storage.StoreTraffic.Count;
import dev.cowbell.storage.StoreTraffic.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/** Counts what is asked of a store, and the bytes that this moves. */
public final class MeteredStore implements ObjectStore {

  private static final class Meter {
    final LongAdder calls = new LongAdder();
    final LongAdder bytes = new LongAdder();
  }

  private final ObjectStore inner;
  private final Map<Kind, Meter> meters = new EnumMap<>(Kind.class);

  /** Takes over {@code inner}: closing this closes it. */
  public MeteredStore(ObjectStore inner) {
    this.inner = inner;
    for (Kind kind : Kind.values()) {
      meters.put(kind, new Meter());
    }
  }

  /** What has been counted so far. */
  public StoreTraffic traffic() {
    Map<Kind, Count> counts = new EnumMap<>(Kind.class);
    meters.forEach((kind, m) -> counts.put(kind, new Count(m.calls.sum(), m.bytes.sum())));
    return new StoreTraffic(counts);
  }

  private Meter called(Kind kind) {
    Meter meter = meters.get(kind);
    if (meter == null) {
      throw new IllegalStateException("no meter for " + kind);
    }
    meter.calls.increment();
    return meter;
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
    Meter meter = called(Kind.PUT);
    ObjectInfo info = inner.put(key, body, precondition);
    meter.bytes.add(info.size());
    return info;
  }

  @Override
  public ObjectUpload begin(
      ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException {
    Meter uploads = called(Kind.UPLOAD);
    ObjectUpload upload = inner.begin(key, headLength, precondition, expectedLength);
    return new MeteredUpload(upload, uploads);
  }

  private final class MeteredUpload implements ObjectUpload {

    private final ObjectUpload upload;
    private final Meter uploads;

    MeteredUpload(ObjectUpload upload, Meter uploads) {
      this.upload = upload;
      this.uploads = uploads;
    }

    @Override
    public void append(ByteBuffer body) throws IOException {
      int length = body.remaining();
      upload.append(body);
      uploads.bytes.add(length);
    }

    @Override
    public void appendCopy(ObjectKey source, long at, long length, ETag ifMatch)
        throws IOException {
      Meter copies = called(Kind.COPY);
      upload.appendCopy(source, at, length, ifMatch);
      copies.bytes.add(length);
    }

    @Override
    public ObjectInfo commit(ByteBuffer head) throws IOException {
      int length = head.remaining();
      ObjectInfo info = upload.commit(head);
      uploads.bytes.add(length);
      return info;
    }

    @Override
    public void close() {
      upload.close();
    }
  }

  @Override
  public void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    Meter meter = called(Kind.READ);
    int start = dst.position();
    try {
      inner.read(key, at, dst, ifMatch);
    } finally {
      meter.bytes.add(dst.position() - start);
    }
  }

  @Override
  public StoredObject get(ObjectKey key, int limit) throws IOException {
    Meter meter = called(Kind.READ);
    StoredObject object = inner.get(key, limit);
    meter.bytes.add(object.info().size());
    return object;
  }

  @Override
  public Optional<ObjectInfo> stat(ObjectKey key) throws IOException {
    called(Kind.STAT);
    return inner.stat(key);
  }

  @Override
  public Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException {
    called(Kind.LIST);
    return inner.list(prefix, after);
  }

  @Override
  public void delete(Collection<ObjectKey> keys) throws IOException {
    called(Kind.DELETE);
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
