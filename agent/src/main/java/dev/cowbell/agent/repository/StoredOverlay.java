package dev.cowbell.agent.repository;

import dev.cowbell.qcow2.overlay.OverlaySource;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** The bytes of one version of a stored overlay. */
public final class StoredOverlay implements OverlaySource {

  private final ObjectStore store;
  private final ObjectKey key;
  private final ETag etag;
  private final long size;
  private final LongAdder bytesRead = new LongAdder();

  private StoredOverlay(ObjectStore store, ObjectInfo info) {
    this.store = store;
    this.key = info.key();
    this.etag = info.etag();
    this.size = info.size();
  }

  /**
   * Finds an overlay; reads of it fail if it is replaced later.
   *
   * @throws DamagedObjectException if it is missing, or has another length than the manifest says
   */
  public static StoredOverlay find(ObjectStore store, OverlayRecord record) throws IOException {
    Optional<ObjectInfo> info = store.stat(record.key());
    if (info.isEmpty()) {
      throw new DamagedObjectException(record.key(), "is missing");
    }
    if (!record.mayHaveSize(info.get().size())) {
      throw new DamagedObjectException(
          record.key(),
          "is %d bytes long, the manifest says %d".formatted(info.get().size(), record.size()));
    }
    return new StoredOverlay(store, info.get());
  }

  /** A version of an overlay that is known to be there. */
  public static StoredOverlay of(ObjectStore store, ObjectInfo info) {
    return new StoredOverlay(store, info);
  }

  /** Which version it is. */
  public ETag etag() {
    return etag;
  }

  public ObjectKey key() {
    return key;
  }

  /** A message about this overlay without its name at the beginning. */
  String withoutName(@Nullable String message) {
    return withoutName(name(), message);
  }

  static String withoutName(String name, @Nullable String message) {
    String text = String.valueOf(message);
    return text.startsWith(name + ": ") ? text.substring(name.length() + 2) : text;
  }

  /** How much was read so far. */
  public long bytesRead() {
    return bytesRead.sum();
  }

  @Override
  public String name() {
    return key.value();
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    int length = dst.remaining();
    try {
      store.read(key, at, dst, Optional.of(etag));
      bytesRead.add(length);
    } catch (ObjectNotFoundException e) {
      throw new DamagedObjectException(key, "is missing");
    }
  }
}
