package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.map.TableChanges;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import java.util.Objects;

/**
 * What writes to an image in its present state; made anew when somebody else has edited it.
 *
 * @param diskSize the size of the guest's disk, in bytes
 */
record WritePaths(
    ClusterAllocator allocator,
    TableChanges changes,
    DataWriter data,
    ZeroWriter zeroes,
    CompressedWriter compressed,
    Truncation truncation,
    long diskSize) {

  private static final int MAX_WAITING = 1 << 16;

  static WritePaths of(ImageWriter.Parts parts, ImageWriter.State state, Damage damage) {
    ClusterAllocator allocator = state.allocator();
    TableChanges changes = state.changes();
    long diskSize = state.diskSize();
    ActiveTables tables = new ActiveTables(changes, allocator, damage);
    CopyOnWrite copyOnWrite = new CopyOnWrite(parts.store(), state.reader(), diskSize);
    DataWriter data =
        new DataWriter(tables, allocator, damage, parts.store(), copyOnWrite, parts.backedBytes());
    ZeroWriter zeroes =
        new ZeroWriter(tables, allocator, damage, data, parts.store(), diskSize, parts.backed());
    CompressedWriter compressed =
        new CompressedWriter(parts.file(), tables, allocator, damage, data);
    allocator.searchWholeFile();
    return new WritePaths(
        allocator, changes, data, zeroes, compressed, new Truncation(tables, data), diskSize);
  }

  /** Whether so much waits for a commit that it is time for one. */
  boolean isFull(long maxChangedBytes) {
    return changes.bytes() >= maxChangedBytes || allocator.waiting() >= MAX_WAITING;
  }

  /**
   * Refuses a range that is not inside the disk.
   *
   * @throws IndexOutOfBoundsException saying so
   */
  void checkInside(long at, long length) {
    Objects.checkFromIndexSize(at, length, diskSize);
  }
}
