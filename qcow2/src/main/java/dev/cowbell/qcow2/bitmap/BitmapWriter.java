package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapTable;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.bitmaps.directory.SerializedBitmap;
import dev.cowbell.bitmaps.directory.SerializedBitmap.Form;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.ClusterAllocator.Allocation;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Writes bits, tables and directories into newly allocated clusters. Flushes nothing. */
final class BitmapWriter {

  private static final int WRITE_SIZE = 1 << 20;

  private final HostFile file;
  private final Geometry geometry;
  private final ClusterAllocator allocator;

  BitmapWriter(HostFile file, Geometry geometry, ClusterAllocator allocator) {
    this.file = file;
    this.geometry = geometry;
    this.allocator = allocator;
  }

  /** A table in the file. */
  record StoredTable(long offset, int length) {}

  /** Stores a bitmap that {@link SerializedBitmap#checkStorable} let pass. */
  StoredTable write(DirtyBitmap bitmap) throws IOException {
    int clusterBits = geometry.clusterBits();
    BitmapTable table =
        new BitmapTable(
            (int)
                SerializedBitmap.tableLength(bitmap.size(), bitmap.granularityBits(), clusterBits));
    int[] parts = new int[Math.min(table.length(), Math.max(1, WRITE_SIZE >>> clusterBits))];
    int gathered = 0;
    long dirty = bitmap.nextDirty(0);
    while (dirty < bitmap.size()) {
      int shift = SerializedBitmap.coverageShift(bitmap.granularityBits(), clusterBits);
      int index = (int) (dirty >>> shift);
      if (SerializedBitmap.formOf(bitmap, index, clusterBits) == Form.ONES) {
        table.setAllOnes(index);
      } else {
        parts[gathered++] = index;
      }
      if (gathered == parts.length) {
        writeParts(bitmap, table, parts, gathered);
        gathered = 0;
      }
      long next = (index + 1L) << shift;
      dirty = next <= 0 || next >= bitmap.size() ? bitmap.size() : bitmap.nextDirty(next);
    }
    writeParts(bitmap, table, parts, gathered);
    return new StoredTable(writePadded(table.encode()), table.length());
  }

  private void writeParts(DirtyBitmap bitmap, BitmapTable table, int[] parts, int count)
      throws IOException {
    int clusterBits = geometry.clusterBits();
    for (int done = 0; done < count; ) {
      Allocation run = allocator.allocateUpTo(count - done);
      ByteBuffer data = ByteBuffer.allocate((int) run.clusters() << clusterBits);
      for (int i = 0; i < run.clusters(); i++) {
        int index = parts[done + i];
        int at = i << clusterBits;
        SerializedBitmap.encode(bitmap, index, clusterBits, data.slice(at, 1 << clusterBits));
        table.setDataOffset(index, run.offset() + at);
      }
      file.write(run.offset(), data);
      done += (int) run.clusters();
    }
  }

  /** Stores a directory that has at least one bitmap. */
  BitmapsExtension write(BitmapDirectory directory) throws IOException {
    ByteBuffer bytes = directory.encode();
    int size = bytes.remaining();
    return new BitmapsExtension(directory.entries().size(), size, writePadded(bytes));
  }

  /** Writes whole clusters, so that no stale bytes remain and the file ends behind them. */
  private long writePadded(ByteBuffer bytes) throws IOException {
    long clusters = geometry.clustersFor(bytes.remaining());
    long offset = allocator.allocate(clusters);
    ByteBuffer padded = ByteBuffer.allocate((int) clusters << geometry.clusterBits()).put(bytes);
    file.write(offset, padded.rewind());
    return offset;
  }
}
