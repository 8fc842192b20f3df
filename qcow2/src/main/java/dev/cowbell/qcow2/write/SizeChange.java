package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import java.io.IOException;
import java.util.function.Supplier;

/**
 * Gives the disk of a quiesced image another size. Whatever has to read as zeroes does so, durably,
 * before the header says the new size: a crash leaves the old size, or the new one with zeroes.
 */
final class SizeChange {
  private final ImageWriter.Parts parts;
  private final GroupCommit commit;
  private final Supplier<WritePaths> paths;
  private final AloneEdit edit;
  private final Geometry geometry;
  private final long maxChangedBytes;

  /** Edits the image and takes it up again, with the exclusive lock held already. */
  @FunctionalInterface
  interface AloneEdit {
    void run(ImageWriter.Edit<?> edit) throws IOException;
  }

  /** A bounded piece of work on a range; says where the rest of the range starts. */
  @FunctionalInterface
  private interface RangeStep {
    long run(long from, long to) throws IOException;
  }

  /**
   * Prepares for a change.
   *
   * @param paths the present ones, at each time
   * @param maxChangedBytes so much changed metadata is held before it is committed
   */
  SizeChange(
      ImageWriter.Parts parts,
      GroupCommit commit,
      Supplier<WritePaths> paths,
      AloneEdit edit,
      long maxChangedBytes) {
    this.parts = parts;
    this.commit = commit;
    this.paths = paths;
    this.edit = edit;
    this.geometry = parts.head().head().header().geometry();
    this.maxChangedBytes = maxChangedBytes;
  }

  /** Under the exclusive lock, with nothing left to be committed; durable when it returns. */
  void to(long newSize) throws IOException {
    long oldSize = paths.get().diskSize();
    boolean done = false;
    try {
      if (newSize < oldSize) {
        cutOff(newSize, oldSize);
      } else {
        makeRoom(oldSize, newSize);
      }
      commit.alone();
      edit.run((image, head, clusters) -> {
        new L1Resize(image, head, clusters).to(newSize);
        parts.store().resized(newSize);
        return image;
      });
      done = true;
    } finally {
      // Of what was to be cut off, a part may be gone.
      if (!done && newSize < oldSize && paths.get().diskSize() == oldSize) {
        parts.observer().beforeChange(newSize, oldSize - newSize);
      }
    }
  }

  private void cutOff(long newSize, long oldSize) throws IOException {
    long tailEnd = clusterEnd(newSize);
    zeroTail(newSize, Math.min(tailEnd, oldSize));
    if (tailEnd < oldSize) {
      parts.store().zeroed(tailEnd, oldSize - tailEnd);
    }
    dropFrom(tailEnd);
  }

  private void makeRoom(long oldSize, long newSize) throws IOException {
    long tailEnd = clusterEnd(oldSize);
    boolean hidesBacking = newSize > oldSize && parts.backedBytes() > oldSize;
    if (hidesBacking) {
      steps(oldSize, tailEnd, (at, end) -> paths.get().zeroes().zero(at, end, ZeroSpace.MAY_FREE));
    } else {
      zeroTail(oldSize, tailEnd);
    }
    // An applied snapshot leaves its VM state there.
    dropFrom(tailEnd);
    long hidden = clusterEnd(Math.min(newSize, parts.backedBytes()));
    if (hidesBacking && tailEnd < hidden) {
      if (hidden > mapped()) {
        commit.alone();
        edit.run((image, head, clusters) -> {
          new L1Resize(image, head, clusters).cover(hidden);
          return image;
        });
      }
      steps(tailEnd, hidden, (at, end) -> paths.get().zeroes().zero(at, end, ZeroSpace.MAY_FREE));
    }
  }

  private long clusterEnd(long at) {
    return at + (-at & (geometry.clusterSize() - 1));
  }

  /** How much the present L1 table can map. */
  private long mapped() {
    Header header = parts.head().head().header();
    return header.l1Size() * geometry.l2Coverage();
  }

  /** Zeroes what the image itself holds behind a place inside a cluster. */
  private void zeroTail(long from, long to) throws IOException {
    steps(from, to, (at, end) -> paths.get().zeroes().zeroInCluster(at, end));
  }

  private void dropFrom(long at) throws IOException {
    steps(at, mapped(), (from, to) -> paths.get().truncation().drop(from, to));
  }

  private void steps(long at, long end, RangeStep step) throws IOException {
    for (long next = at; next < end; ) {
      if (paths.get().isFull(maxChangedBytes)) {
        commit.alone();
      }
      next = step.run(next, end);
    }
  }
}
