package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.map.TableChanges;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.ClusterAllocator.Released;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Brings changed metadata to the disk, many changes at a time, in the order that lets a crash leave
 * nothing but leaks: refcounts, a flush of them and of the data, L2 tables, a flush, L1 entries, a
 * flush; only then are clusters given out again that nothing refers to any more.
 *
 * <p>With lazy refcounts the dirty bit is set durably before the first commit that leaves refcounts
 * in memory, and cleared again when they have been written: before anybody else edits the image,
 * and before it is closed. New refcount blocks are written at once all the same, so that whoever
 * repairs the image finds a place for every refcount.
 *
 * <p>Reads and writes in place go on while a commit waits for the disk.
 */
final class GroupCommit {
  private final HostFile image;
  private final List<HostFile> files;
  private final HeadWriter head;
  private final LazyRefcounts lazy;
  private final Damage damage;
  private final EntryLock lock;

  /** One commit at a time; taken before the image's lock. */
  private final ReentrantLock turn = new ReentrantLock();

  private TableChanges changes;
  private ClusterAllocator allocator;

  /**
   * @param lock held exclusively by whoever changes metadata in memory
   */
  GroupCommit(
      ImageWriter.Parts parts,
      TableChanges changes,
      ClusterAllocator allocator,
      Damage damage,
      EntryLock lock) {
    this.image = parts.file();
    this.files = parts.files();
    this.head = parts.head();
    this.lazy = parts.lazyRefcounts();
    this.changes = changes;
    this.allocator = allocator;
    this.damage = damage;
    this.lock = lock;
  }

  /** Goes on from another state, under the exclusive lock. */
  void take(TableChanges newChanges, ClusterAllocator newAllocator) {
    changes = newChanges;
    allocator = newAllocator;
  }

  /**
   * Writes everything that was changed before the call.
   *
   * @param durable whether it has to be on stable storage when this returns
   */
  void run(boolean durable) throws IOException {
    turn.lock();
    try {
      damage.check();
      if (isPending()) {
        commit(durable);
      } else if (durable) {
        flush();
      }
    } finally {
      turn.unlock();
    }
  }

  private boolean isPending() {
    long shared = lock.share();
    try {
      return !changes.isEmpty() || allocator.waiting() > 0;
    } finally {
      lock.release(shared);
    }
  }

  private void commit(boolean durable) throws IOException {
    long stamp = lock.own();
    Released released = seal();
    boolean done = false;
    try {
      writeRefcounts();
      stamp = lock.downgrade(stamp);
      writeTables(durable || !released.isEmpty());
      done = true;
    } finally {
      lock.release(stamp);
      long exclusive = lock.own();
      try {
        settle(released, done);
      } finally {
        lock.release(exclusive);
      }
    }
  }

  /** Commits all there is, late refcounts included, for an edit that {@link #quiesced} runs. */
  void alone() throws IOException {
    if (!changes.isEmpty() || allocator.waiting() > 0) {
      commitAlone();
    }
    writeLateRefcounts();
  }

  private void commitAlone() throws IOException {
    damage.check();
    Released released = seal();
    boolean done = false;
    try {
      holdAllocated();
      allocator.writeBack();
      writeTables(true);
      done = true;
    } finally {
      settle(released, done);
    }
  }

  private Released seal() {
    Released released = allocator.takeUnwanted();
    changes.seal();
    return released;
  }

  private void writeRefcounts() throws IOException {
    holdAllocated();
    if (allocator.hasNewBlocks() || !lazy.appliesTo(head.head().header())) {
      allocator.writeBack();
    } else if (allocator.isChanged()) {
      head.markDirty(true);
    }
  }

  private void writeTables(boolean flushed) throws IOException {
    flush();
    changes.writeL2((at, bytes) -> check(Kind.ACTIVE_L2, at, bytes));
    if (changes.changesL1()) {
      flush();
      changes.writeL1((at, bytes) -> check(Kind.ACTIVE_L1, at, bytes));
    }
    if (flushed) {
      flush();
    }
  }

  /** Makes the image file as long as what was allocated but never written asks for. */
  private void holdAllocated() throws IOException {
    if (image.size() < allocator.allocatedEnd()) {
      image.resize(allocator.allocatedEnd());
    }
  }

  private void settle(Released released, boolean done) throws IOException {
    if (done) {
      changes.committed();
      allocator.release(released);
    } else {
      changes.failed();
      allocator.restore(released);
    }
  }

  private void check(Kind kind, long at, long bytes) throws IOException {
    try {
      allocator.guard().checkMetadata(kind, at, bytes);
    } catch (CorruptImageException e) {
      throw damage.found(e);
    }
  }

  private void flush() throws IOException {
    for (HostFile file : files) {
      file.flush();
    }
  }

  /**
   * Writes everything, refcounts of what was freed included, and lets somebody change the image as
   * it is on the disk, alone.
   */
  <T> T quiesced(Damage.Step<T> step) throws IOException {
    turn.lock();
    try {
      run(true);
      // Others may change something again between a commit and the lock, and never cease to.
      long exclusive = lock.own();
      try {
        alone();
        return step.run();
      } finally {
        lock.release(exclusive);
      }
    } finally {
      turn.unlock();
    }
  }

  private void writeLateRefcounts() throws IOException {
    allocator.writeBack();
    if (head.head().header().features().has(Feature.DIRTY)) {
      image.flush();
      head.markDirty(false);
    }
  }
}
