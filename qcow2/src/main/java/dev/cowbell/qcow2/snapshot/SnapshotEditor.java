package dev.cowbell.qcow2.snapshot;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.ImageLockedException;
import dev.cowbell.qcow2.SnapshotNotFoundException;
import dev.cowbell.qcow2.SnapshotRefusedException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.check.ImageRepair;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.refcount.MetadataGuard;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import dev.cowbell.qcow2.refcount.ReferenceBatch;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Makes, deletes and applies internal snapshots of an image that nobody writes to meanwhile. Each
 * of the three is durable when it returns, and a crash at any time leaves the image as before or as
 * after, with leaked clusters at most; {@code docs/snapshots.md} says in which order bytes reach
 * the disk.
 *
 * <p>Read are L1 and L2 tables and refcounts, never guest data. Not safe for several threads.
 */
public final class SnapshotEditor implements Closeable {

  private final HostFile file;
  private final HeadWriter head;
  private final ClusterAllocator allocator;
  private final Geometry geometry;
  private final L2Walk walk;
  private SnapshotTable table;

  /** The file, if closing is ours to do. */
  private @Nullable HostFile owned;

  private @Nullable String failure;

  private SnapshotEditor(HostFile file, HeadWriter head, ClusterAllocator allocator)
      throws IOException {
    Header header = head.head().header();
    this.file = file;
    this.head = head;
    this.allocator = allocator;
    this.geometry = header.geometry();
    this.walk = new L2Walk(file, header, allocator);
    this.table = SnapshotTable.read(file, header);
  }

  /**
   * Starts editing an image that somebody else has open: nothing of it may be changed but in
   * memory, and all that is remembered of its L1, L2 and snapshot tables and its header has to be
   * read again after each change made here.
   *
   * @param file open for writing; stays the caller's to close
   * @param head the writer of the image's head, whose state stays right
   * @param allocator the keeper of the image's refcounts, without uncommitted changes
   */
  public static SnapshotEditor on(HostFile file, HeadWriter head, ClusterAllocator allocator)
      throws IOException {
    return new SnapshotEditor(file, head, allocator);
  }

  /**
   * Starts editing. An image that was not closed (dirty bit) is repaired first.
   *
   * @param file open for writing, locked against other programs; stays the caller's to close
   * @throws ImageException if the image is damaged or marked corrupt
   */
  public static SnapshotEditor open(HostFile file) throws IOException {
    ImageRepair.recoverDirty(file);
    HeadWriter head = HeadWriter.open(file);
    try {
      return on(file, head, ClusterAllocator.open(file, head));
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  /**
   * Opens a file, with QEMU's locks for writing, and starts editing. Closing the editor closes it.
   *
   * @throws ImageLockedException if another program, such as a running VM, uses the image
   */
  public static SnapshotEditor open(Path path) throws IOException {
    HostFile file = ChannelHostFile.open(path, ImageLock.Use.WRITE);
    try {
      SnapshotEditor editor = open(file);
      editor.owned = file;
      return editor;
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** The internal snapshots as they are now. */
  public SnapshotTable snapshots() {
    return table;
  }

  /**
   * Makes a snapshot of the active state, without VM state.
   *
   * @return its entry in the table
   * @throws SnapshotRefusedException if the name or the number of snapshots does not allow it
   * @throws UnsupportedFeatureException if a refcount would not fit its width, or guest data lies
   *     in a data file; the image is as before
   */
  public SnapshotEntry create(NewSnapshot wanted) throws IOException {
    begin();
    try {
      refuseDataFile();
      wanted.check(table);
      if (table.entries().size() == Header.MAX_SNAPSHOTS) {
        throw new SnapshotRefusedException(
            "the image has %d internal snapshots; more are not possible"
                .formatted(Header.MAX_SNAPSHOTS));
      }
      Header header = head.head().header();
      long[] active = walk.readL1(header.l1TableOffset(), header.l1Size());
      ReferenceBatch added = allocator.startAdding();
      SnapshotEntry entry;
      SnapshotTable longer;
      long place;
      try {
        head.clearUnknownAutoclear();
        walk.references(active, added);
        added.finish();
        long copy = writeL1(active);
        entry = wanted.entry(table, copy, active.length, header.diskSize());
        longer = table.with(entry);
        place = write(longer);
        allocator.writeBack();
        walk.clearCopied(active);
        walk.rewriteL1(header.l1TableOffset(), active, withoutCopied(active));
        file.flush();
      } catch (IOException e) {
        undo(
            e,
            () -> {
              ReferenceBatch batch = allocator.startReleasing(added.applied());
              walk.references(active, batch);
              batch.finish();
              restoreCopied(active);
            });
        throw e;
      }
      putInForce(longer, place, "made");
      allocator
          .guard()
          .add(
              Kind.INACTIVE_L1,
              entry.l1TableOffset(),
              (long) active.length * Geometry.L1_ENTRY_SIZE);
      return entry;
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  /**
   * Deletes a snapshot.
   *
   * @param wanted an id, else a name
   * @throws SnapshotNotFoundException if there is none
   */
  public void delete(String wanted) throws IOException {
    begin();
    try {
      refuseDataFile();
      SnapshotEntry entry = table.find(wanted);
      checkTable(entry);
      SnapshotTable shorter = table.without(entry);
      long place;
      try {
        head.clearUnknownAutoclear();
        place = write(shorter);
        allocator.writeBack();
        file.flush();
      } catch (IOException e) {
        undo(e, () -> {});
        throw e;
      }
      putInForce(shorter, place, "deleted");
      afterCommit(entry, "deleted", () -> releaseTables(entry));
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  private void releaseTables(SnapshotEntry entry) throws IOException {
    long[] gone = walk.readL1(entry.l1TableOffset(), (int) entry.l1Size());
    ReferenceBatch batch = allocator.startReleasing(Long.MAX_VALUE);
    walk.references(gone, batch);
    batch.finish();
    allocator.freeLater(
        Kind.INACTIVE_L1, entry.l1TableOffset(), entry.l1Size() * Geometry.L1_ENTRY_SIZE);
    allocator.freeNow();
    restoreCopied(gone);
    file.flush();
  }

  /** Sets the COPIED flags of the active state where another L1 table has lost its references. */
  private void restoreCopied(long[] released) throws IOException {
    Header header = head.head().header();
    long[] active = walk.readL1(header.l1TableOffset(), header.l1Size());
    walk.rewriteL1(header.l1TableOffset(), active, walk.restoreCopied(active, released));
  }

  /**
   * Makes the active state what a snapshot holds, its size and VM state included. What the active
   * state held is lost unless another snapshot has it.
   *
   * @param wanted an id, else a name
   * @return the snapshot
   * @throws SnapshotNotFoundException if there is none
   * @throws SnapshotRefusedException if the image has persistent bitmaps, which would not tell the
   *     change, or is of version 2 and would get another size
   * @throws UnsupportedFeatureException if a refcount would not fit its width
   */
  public SnapshotEntry apply(String wanted) throws IOException {
    begin();
    try {
      refuseDataFile();
      SnapshotEntry entry = table.find(wanted);
      Header header = head.head().header();
      long size = entry.diskSize().orElse(header.diskSize());
      checkApplicable(entry, header, size);
      long[] old = walk.readL1(header.l1TableOffset(), header.l1Size());
      long[] applied = walk.readL1(entry.l1TableOffset(), (int) entry.l1Size());
      ReferenceBatch added = allocator.startAdding();
      long place;
      try {
        head.clearUnknownAutoclear();
        walk.references(applied, old, added);
        added.finish();
        place = writeL1(applied);
        allocator.writeBack();
        walk.clearCopied(applied, old);
        file.flush();
      } catch (IOException e) {
        undo(
            e,
            () -> {
              ReferenceBatch batch = allocator.startReleasing(added.applied());
              walk.references(applied, old, batch);
              batch.finish();
            });
        throw e;
      }
      try {
        head.putActiveTable(
            place, applied.length, size == header.diskSize() ? header.size() : size);
      } catch (IOException e) {
        failure = e.toString();
        throw e;
      }
      afterCommit(
          entry,
          "applied",
          () -> {
            guardTables(false, header.l1TableOffset(), old);
            guardTables(true, place, applied);
            ReferenceBatch batch = allocator.startReleasing(Long.MAX_VALUE);
            walk.references(old, applied, batch);
            batch.finish();
            allocator.freeLater(header.l1TableOffset(), (long) old.length * Geometry.L1_ENTRY_SIZE);
            allocator.freeNow();
            file.flush();
          });
      return entry;
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  /** Says of the tables of an active L1 table, itself included, that they are in force or not. */
  private void guardTables(boolean inForce, long l1Offset, long[] l1) {
    MetadataGuard guard = allocator.guard();
    long bytes = (long) l1.length * Geometry.L1_ENTRY_SIZE;
    for (long word : l1) {
      long l2 = L1Entry.offset(word);
      if (l2 != 0 && inForce) {
        guard.add(Kind.ACTIVE_L2, l2, geometry.clusterSize());
      } else if (l2 != 0) {
        guard.remove(Kind.ACTIVE_L2, l2, geometry.clusterSize());
      }
    }
    if (inForce) {
      guard.add(Kind.ACTIVE_L1, l1Offset, bytes);
    } else {
      guard.remove(Kind.ACTIVE_L1, l1Offset, bytes);
    }
  }

  private void checkApplicable(SnapshotEntry entry, Header header, long size) throws IOException {
    entry.checkL1(geometry, size);
    if (size != header.diskSize() && header.version() < 3) {
      throw new SnapshotRefusedException(
          "the snapshot has %d bytes, the disk %d: an image of version 2 with snapshots can't be resized"
              .formatted(size, header.diskSize()));
    }
    int bitmaps = PersistentBitmaps.read(file, head.head()).list().size();
    if (bitmaps > 0) {
      throw new SnapshotRefusedException(
          "the image has %d persistent bitmaps, which would not tell what applying a snapshot changes; remove them first"
              .formatted(bitmaps));
    }
  }

  private void checkTable(SnapshotEntry entry) throws CorruptImageException {
    geometry.checkL1Table(
        "the L1 table of snapshot " + entry.id(), entry.l1TableOffset(), entry.l1Size());
  }

  private void begin() {
    if (failure != null) {
      throw new IllegalStateException("the editor can't go on after a failure: " + failure);
    }
  }

  private void refuseDataFile() throws UnsupportedFeatureException {
    if (head.head().header().l2Rules().dataFile()) {
      throw new UnsupportedFeatureException(
          "an image with an external data file can't have internal snapshots");
    }
  }

  private long writeL1(long[] words) throws IOException {
    if (words.length == 0) {
      return 0;
    }
    long place =
        allocator.allocate(geometry.clustersFor((long) words.length * Geometry.L1_ENTRY_SIZE));
    walk.writeNewL1(place, words);
    return place;
  }

  /** Writes a snapshot table to new clusters; to none if it is empty. */
  private long write(SnapshotTable changed) throws IOException {
    long length = changed.length();
    if (length > SnapshotEntry.MAX_TABLE_LENGTH) {
      throw new SnapshotRefusedException(
          "the snapshot table would have %d bytes, allowed are %d"
              .formatted(length, SnapshotEntry.MAX_TABLE_LENGTH));
    }
    if (length == 0) {
      return 0;
    }
    long clusters = geometry.clustersFor(length);
    long place = allocator.allocate(clusters);
    file.write(place, changed.encode(Math.toIntExact(clusters << geometry.clusterBits())));
    return place;
  }

  /** The commit point: behind it, it is not known any more which table is in force if it fails. */
  private void putInForce(SnapshotTable changed, long place, String done) throws IOException {
    Header before = head.head().header();
    long oldLength = table.length();
    try {
      head.putSnapshots(place, changed.entries().size());
    } catch (IOException e) {
      failure = e.toString();
      throw e;
    }
    table = changed;
    afterCommit(
        null,
        done,
        () -> {
          allocator.guard().add(Kind.SNAPSHOT_TABLE, place, table.length());
          allocator.freeLater(Kind.SNAPSHOT_TABLE, before.snapshotsOffset(), oldLength);
          allocator.freeNow();
          file.flush();
        });
  }

  /** A step that may fail, whose failure leaves leaks. */
  @FunctionalInterface
  private interface Step {
    void run() throws IOException;
  }

  private void afterCommit(@Nullable SnapshotEntry entry, String done, Step step)
      throws IOException {
    try {
      step.run();
    } catch (IOException e) {
      failure = e.toString();
      String which = entry == null ? "the snapshot" : "the snapshot " + entry.id();
      throw new IOException(
          "%s: %s is %s, but clusters no longer used could not be freed, a check finds them: %s"
              .formatted(file.name(), which, done, e.getMessage()),
          e);
    }
  }

  /** Gives back what a change that failed before its commit point has taken. */
  private void undo(IOException cause, Step step) {
    try {
      step.run();
      allocator.rollBack();
    } catch (IOException e) {
      cause.addSuppressed(e);
      failure = cause.toString();
    }
  }

  private static long[] withoutCopied(long[] l1) {
    long[] cleared = l1.clone();
    for (int i = 0; i < cleared.length; i++) {
      cleared[i] = L1Entry.withoutCopied(cleared[i]);
    }
    return cleared;
  }

  @Override
  public void close() throws IOException {
    if (owned != null) {
      owned.close();
    }
  }
}
