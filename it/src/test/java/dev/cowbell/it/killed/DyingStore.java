package dev.cowbell.it.killed;

import dev.cowbell.it.killed.Fate.Manner;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.StoreCapabilities;
import dev.cowbell.storage.StoreProbe;
import dev.cowbell.storage.StoredObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A store as one agent has it, that the agent can't reach any more once it is dead: nothing is
 * cleaned up, as after {@code kill -9}.
 */
final class DyingStore implements ObjectStore {

  private final ObjectStore inner;
  private final Life life;
  private final Consumer<ObjectKey> begun;
  private final AtomicBoolean keptOpen = new AtomicBoolean();

  /**
   * Decorates a store of the agent's own.
   *
   * @param begun is told of each upload before it begins
   */
  DyingStore(ObjectStore inner, Life life, Consumer<ObjectKey> begun) {
    this.inner = inner;
    this.life = life;
    this.begun = begun;
  }

  private interface Call<T> {
    T make() throws IOException;
  }

  /** An operation that changes nothing. */
  private <T> T look(String doing, Call<T> call) throws IOException {
    return call(doing, Life.Kind.LOOKS, call, () -> {}, Optional.empty());
  }

  /**
   * An operation that changes something.
   *
   * @param half what is left of it when it was cut off
   * @param late what arrives of it when its agent is dead, if it can
   */
  private <T> T change(String doing, Call<T> call, Life.Effect half, Optional<Life.Effect> late)
      throws IOException {
    return call(doing, Life.Kind.CHANGES, call, half, late);
  }

  private <T> T call(
      String doing, Life.Kind kind, Call<T> call, Life.Effect half, Optional<Life.Effect> late)
      throws IOException {
    Optional<Manner> end = life.operation(kind);
    if (end.isEmpty()) {
      T answer = call.make();
      life.requireAlive();
      return answer;
    }
    switch (end.get()) {
      case BEFORE -> {}
      case UNANSWERED -> quietly(call::make);
      case TORN -> quietly(half);
      case LATE ->
          late.ifPresent(effect -> {
            keptOpen.set(true);
            life.sendLate(() -> {
              try {
                effect.make();
              } finally {
                inner.close();
              }
            });
          });
    }
    throw life.die(doing, end.get().name());
  }

  private static void quietly(Life.Effect effect) {
    try {
      effect.make();
    } catch (IOException e) {
      // the answer never comes
    }
  }

  private static String kind(ObjectKey key) {
    String name = key.value();
    return name.endsWith("lease.json")
        ? "lease"
        : name.contains("/points/")
            ? "manifest"
            : name.endsWith(".digests")
                ? "digests"
                : name.contains("/disks/") ? "overlay" : "other";
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
    ByteBuffer copy = ByteBuffer.allocate(body.remaining()).put(body.duplicate()).flip();
    return change(
        "put " + kind(key),
        () -> inner.put(key, body, precondition),
        () -> {
          // never closed: what a put leaves that was cut off
          ObjectUpload half = inner.begin(key, 0, precondition);
          half.append(copy.duplicate().limit(copy.limit() / 2));
        },
        Optional.of(() -> inner.put(key, copy, precondition)));
  }

  @Override
  public ObjectUpload begin(
      ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException {
    life.requireAlive();
    begun.accept(key);
    return new DyingUpload(
        key,
        change(
            "begin " + kind(key),
            () -> inner.begin(key, headLength, precondition, expectedLength),
            () -> {},
            Optional.empty()));
  }

  @Override
  public void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    look(
        "read " + kind(key),
        () -> {
          inner.read(key, at, dst, ifMatch);
          return dst;
        });
  }

  @Override
  public StoredObject get(ObjectKey key, int limit) throws IOException {
    return look("read " + kind(key), () -> inner.get(key, limit));
  }

  @Override
  public Optional<ObjectInfo> stat(ObjectKey key) throws IOException {
    return look("read " + kind(key), () -> inner.stat(key));
  }

  @Override
  public Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException {
    return look("list", () -> inner.list(prefix, after));
  }

  @Override
  public void delete(Collection<ObjectKey> keys) throws IOException {
    if (keys.isEmpty()) {
      return;
    }
    List<ObjectKey> all = new ArrayList<>(keys);
    change(
        "delete " + kind(all.getFirst()),
        () -> {
          inner.delete(all);
          return all;
        },
        () -> inner.delete(all.subList(0, all.size() / 2)),
        Optional.of(() -> inner.delete(all)));
  }

  @Override
  public int sweepUploads(String prefix, Duration minimumAge) throws IOException {
    return change(
        "sweep", () -> inner.sweepUploads(prefix, minimumAge), () -> {}, Optional.empty());
  }

  /** Frees what the process would have freed by dying; a directory's uploads lose their owner. */
  @Override
  public void close() throws IOException {
    if (!keptOpen.get()) {
      inner.close();
    }
  }

  /** An upload that is left as it is when its agent dies. */
  private final class DyingUpload implements ObjectUpload {
    private final ObjectKey key;
    private final ObjectUpload upload;

    DyingUpload(ObjectKey key, ObjectUpload upload) {
      this.key = key;
      this.upload = upload;
    }

    @Override
    public void append(ByteBuffer body) throws IOException {
      change(
          "append " + kind(key),
          () -> {
            upload.append(body);
            return body;
          },
          () -> upload.append(body.duplicate().limit(body.position() + body.remaining() / 2)),
          Optional.empty());
    }

    @Override
    public void appendCopy(ObjectKey source, long at, long length, ETag ifMatch)
        throws IOException {
      change(
          "copy " + kind(key),
          () -> {
            upload.appendCopy(source, at, length, ifMatch);
            return source;
          },
          () -> upload.appendCopy(source, at, length / 2, ifMatch),
          Optional.empty());
    }

    @Override
    public ObjectInfo commit(ByteBuffer head) throws IOException {
      ByteBuffer copy = ByteBuffer.allocate(head.remaining()).put(head.duplicate()).flip();
      return change(
          "commit " + kind(key),
          () -> upload.commit(head),
          () -> {},
          Optional.of(() -> upload.commit(copy)));
    }

    @Override
    public void close() {
      if (life.death().isEmpty()) {
        upload.close();
      }
    }
  }
}
