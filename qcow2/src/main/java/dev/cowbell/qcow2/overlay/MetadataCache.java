package dev.cowbell.qcow2.overlay;

import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Blocks of metadata that were found to be what was written, of all overlays that are read
 * together; those not used for the longest time go first. Calls may be concurrent.
 */
public final class MetadataCache {

  /** Enough for chains of hundreds of overlays, in bytes. */
  public static final int DEFAULT_BUDGET = 64 << 20;

  private static final int MAX_READ_AHEAD = 2 << 20;

  private record Key(OverlaySource source, int seal) {}

  private final int budget;
  private final AtomicInteger users = new AtomicInteger();
  private final ReentrantLock lock = new ReentrantLock();
  private final LinkedHashMap<Key, ByteBuffer> blocks = new LinkedHashMap<>(16, 0.75f, true);
  private long held;

  public MetadataCache() {
    this(DEFAULT_BUDGET);
  }

  /** A cache that holds so many bytes at most (and one block at least). */
  public MetadataCache(int budget) {
    this.budget = budget;
  }

  /** One more overlay uses the cache. */
  void join() {
    users.incrementAndGet();
  }

  /** How many bytes a user may bring in at once so that nobody's are driven out before use. */
  int readAhead() {
    return Math.min(MAX_READ_AHEAD, budget / (2 * Math.max(1, users.get())));
  }

  @Nullable ByteBuffer get(OverlaySource source, int seal) {
    lock.lock();
    try {
      return blocks.get(new Key(source, seal));
    } finally {
      lock.unlock();
    }
  }

  /** Keeps a block, which nobody changes any more. */
  void put(OverlaySource source, int seal, ByteBuffer block) {
    lock.lock();
    try {
      ByteBuffer old = blocks.put(new Key(source, seal), block);
      held += block.capacity() - (old == null ? 0 : old.capacity());
      Iterator<Map.Entry<Key, ByteBuffer>> oldest = blocks.entrySet().iterator();
      while (held > budget && blocks.size() > 1) {
        held -= oldest.next().getValue().capacity();
        oldest.remove();
      }
    } finally {
      lock.unlock();
    }
  }
}
