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

/**
 * Writes to one image from many threads. Reads and writes in place hold the image's lock shared;
 * whatever changes entries holds it exclusively, for a bounded piece of work at a time.
 */
public final class ImageWriter {
  /** So much changed metadata is held before it is written without being asked. */
  private static final long MAX_CHANGED_BYTES = 8L << 20;

  private static final int MIN_CHANGED_TABLES = 4;

  private final HostFile file;
  private final HeadWriter head;
  private final Damage damage;
  private final GroupCommit commit;
  private final BarrierMode barriers;
  private final WriteObserver observer;
  private final long maxChangedBytes;
  private final EntryLock lock = new EntryLock();

  /** Replaced under the exclusive lock when somebody else has edited the image. */
  private WritePaths paths;

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
    this.commit = new GroupCommit(parts, state.changes(), state.allocator(), damage, lock);
    this.paths = WritePaths.of(parts, state, damage);
  }

  /** Keeps entries as they are until {@link #endReading}; the lock can't be taken twice. */
  public long beginReading() {
    return lock.share();
  }

  public void endReading(long stamp) {
    lock.release(stamp);
  }

  /**
   * Writes all of {@code src}.
   *
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   */
  public void write(long at, ByteBuffer src) throws IOException {
    damage.check();
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
    long shared = lock.share();
    try {
      begin(at, src.remaining());
      return paths.data().writeInPlace(at, src);
    } finally {
      lock.release(shared);
    }
  }

  private int writeExclusively(long at, ByteBuffer src) throws IOException {
    boundChanges();
    long exclusive = lock.own();
    try {
      begin(at, src.remaining());
      return paths.data().write(at, src);
    } finally {
      lock.release(exclusive);
    }
  }

  /** With the lock held, so that the disk keeps its size from here to the change. */
  private void begin(long at, long length) throws IOException {
    paths.checkInside(at, length);
    observer.beforeChange(at, length);
  }

  /**
   * Makes a range zero.
   *
   * @throws IndexOutOfBoundsException if it is not inside the disk
   */
  public void writeZeroes(long at, long length, ZeroSpace space) throws IOException {
    inSteps(at, length, (from, to) -> paths.zeroes().zero(from, to, space));
  }

  /**
   * Discards what can be of a range.
   *
   * @throws IndexOutOfBoundsException if it is not inside the disk
   */
  public void discard(long at, long length) throws IOException {
    inSteps(at, length, (from, to) -> paths.zeroes().discard(from, to));
  }

  /** A bounded piece of work on a range; says where the rest of the range starts. */
  @FunctionalInterface
  private interface RangeStep {
    long run(long from, long to) throws IOException;
  }

  private void inSteps(long at, long length, RangeStep step) throws IOException {
    damage.check();
    long end = at + length;
    steps(
        at,
        end,
        (from, to) -> {
          begin(from, end - from);
          return step.run(from, to);
        });
    changed();
  }

  private void steps(long at, long end, RangeStep step) throws IOException {
    for (long next = at; next < end; ) {
      boundChanges();
      long exclusive = lock.own();
      try {
        next = step.run(next, end);
      } finally {
        lock.release(exclusive);
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
    long shared = lock.share();
    try {
      full = paths.isFull(maxChangedBytes);
    } finally {
      lock.release(shared);
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
    boundChanges();
    long exclusive = lock.own();
    try {
      begin(at, guestBytes);
      if (!paths.compressed().isInReach()) {
        return false;
      }
      paths.compressed().write(at, packed);
    } finally {
      lock.release(exclusive);
    }
    changed();
    return true;
  }

  /** Decides about a resize by the size that the disk has, which can't change meanwhile. */
  @FunctionalInterface
  public interface SizeCheck {
    void check(long oldSize) throws IOException;
  }

  /**
   * Gives the disk another size, alone. What a larger disk has more reads as zeroes; of a smaller
   * one everything behind the new end is dropped. If it fails a part of that may be gone.
   *
   * @param newSize a multiple of 512
   */
  public void resize(long newSize, SizeCheck check, Reload reload) throws IOException {
    damage.check();
    commit.quiesced(() -> {
      check.check(paths.diskSize());
      L1Resize.check(head.head().header(), newSize);
      observer.beforeResize(newSize);
      new SizeChange(parts, commit, () -> paths, edit -> editAlone(edit, reload), maxChangedBytes)
          .to(newSize);
      return file;
    });
  }

  /**
   * Drops everything that the active state holds, durably, so that all of the disk is what the
   * backing file shows. No bitmap learns of it.
   */
  public void empty() throws IOException {
    damage.check();
    Header header = head.head().header();
    int clusterSize = header.geometry().clusterSize();
    long diskSize = header.diskSize();
    long end = diskSize + (-diskSize & (clusterSize - 1));
    steps(0, end, (from, to) -> paths.truncation().drop(from, to));
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
    return commit.quiesced(() -> editAlone(edit, reload));
  }

  private <T> T editAlone(Edit<T> edit, Reload reload) throws IOException {
    try {
      T result = edit.on(file, head, paths.allocator());
      paths.allocator().writeBack();
      return result;
    } finally {
      takeAgain(reload);
    }
  }

  private void takeAgain(Reload reload) throws IOException {
    try {
      head.reread();
      State state = reload.from(head);
      paths = WritePaths.of(parts, state, damage);
      commit.take(state.changes(), state.allocator());
    } catch (IOException e) {
      damage.lost(String.valueOf(e.getMessage()));
      throw e;
    }
  }

  /** Writes everything back and lets the observer store what it has. */
  public void close() throws IOException {
    damage.check();
    commit.quiesced(() -> {
      observer.beforeClose(file, head, paths.allocator());
      paths.allocator().writeBack();
      return file;
    });
    file.flush();
  }
}
