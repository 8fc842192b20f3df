package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.map.TableChanges;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.locks.StampedLock;

/**
 * Writes to one image from many threads. Reads and writes in place hold the image's lock shared;
 * whatever changes entries holds it exclusively, for a bounded piece of work at a time.
 */
public final class ImageWriter {
  /** So much changed metadata is held before it is written without being asked. */
  private static final long MAX_CHANGED_BYTES = 8L << 20;

  private static final int MIN_CHANGED_TABLES = 4;
  private static final int MAX_WAITING = 1 << 16;

  private final HostFile file;
  private final HeadWriter head;
  private final Damage damage;
  private final GroupCommit commit;
  private final BarrierMode barriers;
  private final WriteObserver observer;
  private final long maxChangedBytes;
  private final StampedLock lock = new StampedLock();

  // Replaced under the exclusive lock when somebody else has edited the image.
  private ClusterAllocator allocator;
  private TableChanges changes;
  private DataWriter data;
  private ZeroWriter zeroes;
  private CompressedWriter compressed;
  private Truncation truncation;
  private long diskSize;

  /**
   * What an image consists of while it is written to, and stays the same.
   *
   * @param file the image
   * @param files what a flush covers: the image and its external data file, if it has one
   * @param backed whether there is a backing file
   * @param backedBytes how much of the disk it covers
   */
  public record Parts(
      HostFile file,
      List<HostFile> files,
      HeadWriter head,
      ClusterStore store,
      boolean backed,
      long backedBytes,
      BarrierMode barriers,
      LazyRefcounts lazyRefcounts,
      WriteObserver observer) {}

  /**
   * What is held of an image's present state.
   *
   * @param reader what the guest sees; called with the lock held
   */
  public record State(
      ClusterAllocator allocator, TableChanges changes, GuestReader reader, long diskSize) {}

  private final Parts parts;

  /**
   * @throws UnsupportedFeatureException if lazy refcounts are wanted and the image can't have them
   */
  public ImageWriter(Parts parts, State state) throws UnsupportedFeatureException {
    parts.lazyRefcounts().check(parts.head().head().header());
    this.parts = parts;
    this.file = parts.file();
    this.head = parts.head();
    this.barriers = parts.barriers();
    this.observer = parts.observer();
    this.damage = new Damage(head);
    this.maxChangedBytes =
        Math.max(
            MAX_CHANGED_BYTES,
            (long) MIN_CHANGED_TABLES * head.head().header().geometry().clusterSize());
    this.allocator = state.allocator();
    this.changes = state.changes();
    this.commit = new GroupCommit(parts, changes, allocator, damage, lock);
    ActiveTables tables = new ActiveTables(changes, allocator, damage);
    this.data = dataWriter(tables, state);
    this.zeroes = zeroWriter(tables, state);
    this.compressed = new CompressedWriter(file, tables, allocator, damage, data);
    this.truncation = new Truncation(tables, data);
    this.diskSize = state.diskSize();
    allocator.searchWholeFile();
  }

  private DataWriter dataWriter(ActiveTables tables, State state) {
    CopyOnWrite copyOnWrite = new CopyOnWrite(parts.store(), state.reader(), state.diskSize());
    return new DataWriter(
        tables, state.allocator(), damage, parts.store(), copyOnWrite, parts.backedBytes());
  }

  private ZeroWriter zeroWriter(ActiveTables tables, State state) {
    return new ZeroWriter(
        tables, state.allocator(), damage, data, parts.store(), state.diskSize(), parts.backed());
  }

  /** Goes on from another state, under the exclusive lock. */
  private void take(State state) {
    allocator = state.allocator();
    changes = state.changes();
    ActiveTables tables = new ActiveTables(changes, allocator, damage);
    data = dataWriter(tables, state);
    zeroes = zeroWriter(tables, state);
    compressed = new CompressedWriter(file, tables, allocator, damage, data);
    truncation = new Truncation(tables, data);
    diskSize = state.diskSize();
    commit.take(changes, allocator);
    allocator.searchWholeFile();
  }

  /** Keeps entries as they are until {@link #endReading}; the lock can't be taken twice. */
  public long beginReading() {
    return lock.readLock();
  }

  public void endReading(long stamp) {
    lock.unlockRead(stamp);
  }

  /** Writes all of {@code src}; the range is inside the disk. */
  public void write(long at, ByteBuffer src) throws IOException {
    damage.check();
    observer.beforeChange(at, src.remaining());
    long next = at;
    while (src.hasRemaining()) {
      int done = writeInPlace(next, src);
      if (done == 0) {
        done = writeExclusively(next, src);
      }
      next += done;
    }
    changed();
  }

  private int writeInPlace(long at, ByteBuffer src) throws IOException {
    long shared = lock.readLock();
    try {
      return data.writeInPlace(at, src);
    } finally {
      lock.unlockRead(shared);
    }
  }

  private int writeExclusively(long at, ByteBuffer src) throws IOException {
    boundChanges();
    long exclusive = lock.writeLock();
    try {
      return data.write(at, src);
    } finally {
      lock.unlockWrite(exclusive);
    }
  }

  /** Makes a range zero that is inside the disk. */
  public void writeZeroes(long at, long length, ZeroSpace space) throws IOException {
    inSteps(at, length, (from, to) -> zeroes.zero(from, to, space));
  }

  /** Discards what can be of a range that is inside the disk. */
  public void discard(long at, long length) throws IOException {
    inSteps(at, length, (from, to) -> zeroes.discard(from, to));
  }

  /** A bounded piece of work on a range; says where the rest of the range starts. */
  @FunctionalInterface
  private interface RangeStep {
    long run(long from, long to) throws IOException;
  }

  private void inSteps(long at, long length, RangeStep step) throws IOException {
    damage.check();
    observer.beforeChange(at, length);
    steps(at, at + length, step);
    changed();
  }

  private void steps(long at, long end, RangeStep step) throws IOException {
    for (long next = at; next < end; ) {
      boundChanges();
      long exclusive = lock.writeLock();
      try {
        next = step.run(next, end);
      } finally {
        lock.unlockWrite(exclusive);
      }
    }
  }

  private void changed() throws IOException {
    if (barriers == BarrierMode.FULL) {
      commit.run(true);
    }
  }

  /** Commits where too much would be held otherwise. */
  private void boundChanges() throws IOException {
    boolean full;
    long shared = lock.readLock();
    try {
      full = changes.bytes() >= maxChangedBytes || allocator.waiting() >= MAX_WAITING;
    } finally {
      lock.unlockRead(shared);
    }
    if (full) {
      commit.run(false);
    }
  }

  /**
   * Stores a cluster that has been compressed.
   *
   * @param at the guest offset of the cluster
   * @param packed less than a cluster
   * @return whether there was a place for it that a compressed entry can point to
   */
  public boolean writeCompressed(long at, ByteBuffer packed, int guestBytes) throws IOException {
    damage.check();
    observer.beforeChange(at, guestBytes);
    boundChanges();
    long exclusive = lock.writeLock();
    try {
      if (!compressed.isInReach()) {
        return false;
      }
      compressed.write(at, packed);
    } finally {
      lock.unlockWrite(exclusive);
    }
    changed();
    return true;
  }

  /**
   * Gives the disk another size. What a larger disk has more reads as zeroes; of a smaller one
   * everything behind the new end is dropped first.
   *
   * @param newSize a multiple of 512
   */
  public void resize(long newSize, Reload reload) throws IOException {
    damage.check();
    Header header = head.head().header();
    L1Resize.check(header, newSize);
    long oldSize = diskSize;
    int clusterSize = header.geometry().clusterSize();
    long inUse = Math.min(oldSize, newSize);
    long tailEnd = inUse + (-inUse & (clusterSize - 1));
    // Whatever was left behind the end inside the last cluster must not come to light.
    zeroTail(inUse, newSize > oldSize ? tailEnd : Math.min(tailEnd, oldSize));
    if (newSize < oldSize) {
      long end = oldSize + (-oldSize & (clusterSize - 1));
      steps(tailEnd, end, (from, to) -> truncation.drop(from, to));
    }
    edit(
        (image, headWriter, clusters) -> {
          new L1Resize(image, headWriter, clusters).to(newSize);
          parts.store().resized(newSize);
          return image;
        },
        reload);
    if (newSize > oldSize && parts.backedBytes() > oldSize) {
      steps(
          oldSize,
          Math.min(newSize, parts.backedBytes()),
          (from, to) -> zeroes.zero(from, to, ZeroSpace.MAY_FREE));
    }
    commit.run(true);
  }

  private void zeroTail(long from, long to) throws IOException {
    steps(from, to, (at, end) -> zeroes.zeroInCluster(at, end));
  }

  /**
   * Drops everything that the active state holds, durably, so that all of the disk is what the
   * backing file shows. No bitmap learns of it.
   */
  public void empty() throws IOException {
    damage.check();
    int clusterSize = head.head().header().geometry().clusterSize();
    steps(0, diskSize + (-diskSize & (clusterSize - 1)), (from, to) -> truncation.drop(from, to));
    commit.run(true);
  }

  /** Makes everything durable that was changed before the call. */
  public void flush() throws IOException {
    observer.beforeFlush();
    commit.run(true);
  }

  /** Changes to an image as it stands in its file, by whoever knows nothing of this writer. */
  @FunctionalInterface
  public interface Edit<T> {
    T on(HostFile file, HeadWriter head, ClusterAllocator allocator) throws IOException;
  }

  /** Takes an image up again from its file, after somebody has edited it. */
  @FunctionalInterface
  public interface Reload {
    State from(HeadWriter head) throws IOException;
  }

  /**
   * Writes everything back and lets somebody edit the image, alone, while all reading and writing
   * waits. Whether the edit succeeds or fails, what is in the file afterwards counts.
   */
  public <T> T edit(Edit<T> edit, Reload reload) throws IOException {
    return commit.quiesced(() -> {
      try {
        T result = edit.on(file, head, allocator);
        allocator.writeBack();
        return result;
      } finally {
        takeAgain(reload);
      }
    });
  }

  private void takeAgain(Reload reload) throws IOException {
    try {
      head.reread();
      take(reload.from(head));
    } catch (IOException e) {
      damage.lost(String.valueOf(e.getMessage()));
      throw e;
    }
  }

  /** Writes everything back and lets the observer store what it has. */
  public void close() throws IOException {
    damage.check();
    commit.quiesced(() -> {
      observer.beforeClose(file, head, allocator);
      allocator.writeBack();
      return file;
    });
    file.flush();
  }
}
