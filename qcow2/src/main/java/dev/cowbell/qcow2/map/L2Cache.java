package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.io.HostFile;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The L2 tables that were used last, of all layers of a chain together, within a bound of bytes.
 * For use by many threads.
 */
public final class L2Cache {
  /** Enough for 256 GiB of a disk with 64 KiB clusters. */
  public static final long DEFAULT_BYTES = 32L << 20;

  private record Key(HostFile file, long offset) {}

  private final ReentrantLock lock = new ReentrantLock();
  private final Map<Key, L2Table> tables = new LinkedHashMap<>(64, 0.75f, true);
  private final long maxBytes;
  private long bytes;

  /**
   * @param maxBytes the bound; one table is kept however small it is
   */
  public L2Cache(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  @Nullable L2Table get(HostFile file, long offset) {
    lock.lock();
    try {
      return tables.get(new Key(file, offset));
    } finally {
      lock.unlock();
    }
  }

  /** Holds a table from now on. */
  void put(HostFile file, long offset, L2Table table) {
    lock.lock();
    try {
      L2Table old = tables.put(new Key(file, offset), table);
      bytes += table.bytes() - (old == null ? 0 : old.bytes());
      Iterator<L2Table> eldest = tables.values().iterator();
      while (bytes > maxBytes && tables.size() > 1) {
        bytes -= eldest.next().bytes();
        eldest.remove();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Forgets every table of a file: for whoever changed them, or closes the file. */
  public void forget(HostFile file) {
    lock.lock();
    try {
      Iterator<Map.Entry<Key, L2Table>> each = tables.entrySet().iterator();
      while (each.hasNext()) {
        Map.Entry<Key, L2Table> entry = each.next();
        if (entry.getKey().file().equals(file)) {
          bytes -= entry.getValue().bytes();
          each.remove();
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** The bytes of the tables held now. */
  public long bytes() {
    lock.lock();
    try {
      return bytes;
    } finally {
      lock.unlock();
    }
  }
}
