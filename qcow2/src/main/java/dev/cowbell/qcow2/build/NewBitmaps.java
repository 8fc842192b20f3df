package dev.cowbell.qcow2.build;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapTable;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.bitmaps.directory.SerializedBitmap;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Writes the persistent bitmaps that a new image starts with. */
final class NewBitmaps {
  private final HostFile file;
  private final Geometry geometry;
  private final SequentialRefcounts refcounts;
  private final long diskSize;

  NewBitmaps(HostFile file, Geometry geometry, SequentialRefcounts refcounts, long diskSize) {
    this.file = file;
    this.geometry = geometry;
    this.refcounts = refcounts;
    this.diskSize = diskSize;
  }

  /** Writes bitmaps, of which there is at least one, and their directory. */
  BitmapsExtension write(List<NewImageOptions.NewBitmap> bitmaps) throws IOException {
    List<BitmapEntry> entries = new ArrayList<>();
    for (NewImageOptions.NewBitmap bitmap : bitmaps) {
      BitmapTable table = writeBits(bitmap);
      entries.add(
          BitmapEntry.valid(
              bitmap.name(),
              bitmap.granularityBits(),
              bitmap.enabled(),
              store(table.encode()),
              table.length()));
    }
    BitmapDirectory directory = new BitmapDirectory(entries);
    directory.check(diskSize, geometry.clusterBits());
    ByteBuffer bytes = directory.encode();
    int size = bytes.remaining();
    return new BitmapsExtension(entries.size(), size, store(bytes));
  }

  private BitmapTable writeBits(NewImageOptions.NewBitmap added) throws IOException {
    int clusterBits = geometry.clusterBits();
    BitmapTable table =
        new BitmapTable(
            (int) SerializedBitmap.tableLength(diskSize, added.granularityBits(), clusterBits));
    DirtyBitmap bits = added.content().load();
    if (bits.size() != diskSize || bits.granularityBits() != added.granularityBits()) {
      throw new IllegalStateException("the bits of " + added.name() + " are of another shape");
    }
    ByteBuffer cluster = ByteBuffer.allocate(geometry.clusterSize());
    int shift = SerializedBitmap.coverageShift(added.granularityBits(), clusterBits);
    for (long dirty = bits.nextDirty(0); dirty < diskSize; ) {
      int index = (int) (dirty >>> shift);
      if (SerializedBitmap.formOf(bits, index, clusterBits) == SerializedBitmap.Form.ONES) {
        table.setAllOnes(index);
      } else {
        SerializedBitmap.encode(bits, index, clusterBits, cluster.clear());
        table.setDataOffset(index, store(cluster.clear()));
      }
      long next = (index + 1L) << shift;
      dirty = next <= 0 || next >= diskSize ? diskSize : bits.nextDirty(next);
    }
    return table;
  }

  private long store(ByteBuffer bytes) throws IOException {
    long offset = refcounts.allocate(geometry.clustersFor(bytes.remaining()));
    file.write(offset, bytes);
    return offset;
  }
}
