package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.io.HostFile;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The L2 tables in use, of all layers of a chain together, within a bound of bytes. For use by many
 * threads: looking a table up takes no lock and allocates nothing.
 *
 * <p>Which table has to go is found as by the hand of a clock: the oldest one that was not looked
 * up since the hand last passed it.
 */
public final class L2Cache {
  /** Enough for 256 GiB of a disk with 64 KiB clusters. */
  public static final long DEFAULT_BYTES = 32L << 20;

  private static final int FIRST_BUCKETS = 64;

  /**
   * How look-ups went since the cache was made.
   *
   * @param hits those that found their table
   * @param misses those after which the table had to be read
   */
  public record Statistics(long hits, long misses) {

    /** The share of look-ups that found their table, 0 to 1; 0 when there were none. */
    public double hitRate() {
      long all = hits + misses;
      return all == 0 ? 0 : (double) hits / all;
    }
  }

  /** A link of a bucket's chain. One taken out still leads on, for whoever is just there. */
  private static final class Node {
    private final HostFile file;
    private final long offset;
    private final L2Table table;
    private volatile @Nullable Node next;

    /** Looked up since the hand last passed; a lost update costs a reading at most. */
    private boolean used;

    /** Not in the cache any more; guarded by the lock. */
    private boolean gone;

    private Node(HostFile file, long offset, L2Table table, @Nullable Node next) {
      this.file = file;
      this.offset = offset;
      this.table = table;
      this.next = next;
    }

    private boolean is(HostFile otherFile, long otherOffset) {
      return offset == otherOffset && file.equals(otherFile);
    }
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final ArrayDeque<Node> clock = new ArrayDeque<>();
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final long maxBytes;
  private volatile AtomicReferenceArray<@Nullable Node> buckets =
      new AtomicReferenceArray<>(FIRST_BUCKETS);
  private int tables;
  private long bytes;

  /**
   * @param maxBytes the bound; one table is kept however small it is
   */
  public L2Cache(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  @Nullable L2Table get(HostFile file, long offset) {
    AtomicReferenceArray<@Nullable Node> present = buckets;
    for (Node node = present.get(bucket(file, offset, present)); node != null; node = node.next) {
      if (node.is(file, offset)) {
        if (!node.used) {
          node.used = true;
        }
        hits.increment();
        return node.table;
      }
    }
    misses.increment();
    return null;
  }

  /** Holds a table from now on. */
  void put(HostFile file, long offset, L2Table table) {
    lock.lock();
    try {
      remove(file, offset);
      // Room first: a table that nobody had the time to look up must not be the one that goes.
      while (bytes + table.bytes() > maxBytes && tables > 0) {
        turn();
      }
      if (tables >= buckets.length()) {
        grow();
      }
      clock.add(link(buckets, file, offset, table));
      tables++;
      bytes += table.bytes();
    } finally {
      lock.unlock();
    }
  }

  /** Forgets every table of a file: for whoever changed them, or closes the file. */
  public void forget(HostFile file) {
    lock.lock();
    try {
      for (Node node : clock) {
        if (!node.gone && node.file.equals(file)) {
          unlink(node);
        }
      }
      clock.removeIf(node -> node.gone);
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

  /** How look-ups went so far. */
  public Statistics statistics() {
    return new Statistics(hits.sum(), misses.sum());
  }

  /** Moves the hand on by one table. */
  private void turn() {
    Node oldest = clock.remove();
    if (oldest.gone) {
      return;
    }
    if (oldest.used) {
      oldest.used = false;
      clock.add(oldest);
    } else {
      unlink(oldest);
    }
  }

  private void remove(HostFile file, long offset) {
    AtomicReferenceArray<@Nullable Node> present = buckets;
    Node node = present.get(bucket(file, offset, present));
    while (node != null && !node.is(file, offset)) {
      node = node.next;
    }
    if (node != null) {
      unlink(node);
      // It stays on the clock, since a search would cost more; but those gone may not pile up.
      if (clock.size() > 2 * tables + FIRST_BUCKETS) {
        clock.removeIf(each -> each.gone);
      }
    }
  }

  private void unlink(Node node) {
    AtomicReferenceArray<@Nullable Node> present = buckets;
    int bucket = bucket(node.file, node.offset, present);
    Node before = present.get(bucket);
    if (node.equals(before)) {
      present.set(bucket, node.next);
    } else {
      while (before != null && !node.equals(before.next)) {
        before = before.next;
      }
      if (before != null) {
        before.next = node.next;
      }
    }
    node.gone = true;
    tables--;
    bytes -= node.table.bytes();
  }

  /** Makes a larger set of buckets with nodes of its own, since readers may be in the old one. */
  private void grow() {
    AtomicReferenceArray<@Nullable Node> larger = new AtomicReferenceArray<>(buckets.length() * 2);
    ArrayDeque<Node> again = new ArrayDeque<>(clock.size());
    clock.removeIf(node -> node.gone);
    for (Node node : clock) {
      Node copy = link(larger, node.file, node.offset, node.table);
      copy.used = node.used;
      again.add(copy);
    }
    clock.clear();
    clock.addAll(again);
    buckets = larger;
  }

  private static Node link(
      AtomicReferenceArray<@Nullable Node> to, HostFile file, long offset, L2Table table) {
    int bucket = bucket(file, offset, to);
    Node node = new Node(file, offset, table, to.get(bucket));
    to.set(bucket, node);
    return node;
  }

  /** The length is a power of two; the high bits of the product depend on all of the offset. */
  private static int bucket(
      HostFile file, long offset, AtomicReferenceArray<@Nullable Node> among) {
    long mixed = ((offset >>> 9) + file.hashCode()) * 0x9e37_79b9_7f4a_7c15L;
    return (int) (mixed >>> 32) & (among.length() - 1);
  }
}
