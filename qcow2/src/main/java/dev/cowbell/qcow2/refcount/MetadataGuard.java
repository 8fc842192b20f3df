package dev.cowbell.qcow2.refcount;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Knows where an image's metadata is, so that wrong refcounts don't lead to writing over it: the
 * header, the active L1 table and its L2 tables, the snapshot table, the refcount structure. The
 * same classes that QEMU checks by default but for the L1 tables of snapshots.
 */
final class MetadataGuard {

  private final Geometry geometry;
  private final ExtentSet tables;
  private ExtentSet refcountStructures = ExtentSet.empty();

  private MetadataGuard(Geometry geometry, ExtentSet tables) {
    this.geometry = geometry;
    this.tables = tables;
  }

  /** Reads the active L1 table of a header that passed {@link Header#checkTables}. */
  static MetadataGuard read(HostFile file, Header header) throws IOException {
    Geometry geometry = header.geometry();
    ExtentSet.Builder tables = ExtentSet.builder();
    addClusters(tables, geometry, 0, 1);
    long l1Bytes = (long) header.l1Size() * Geometry.L1_ENTRY_SIZE;
    addClusters(tables, geometry, header.l1TableOffset(), l1Bytes);
    // The entries' true lengths vary; the first bytes suffice to recognise the table.
    addClusters(
        tables,
        geometry,
        header.snapshotsOffset(),
        header.nbSnapshots() * SnapshotEntry.FIXED_LENGTH);
    ByteBuffer l1 = ByteBuffer.allocate((int) l1Bytes);
    file.read(header.l1TableOffset(), l1);
    l1.clear();
    while (l1.hasRemaining()) {
      long table = L1Entry.offset(l1.getLong());
      if (table != 0) {
        addClusters(tables, geometry, table, 1);
      }
    }
    return new MetadataGuard(geometry, tables.build());
  }

  private static void addClusters(
      ExtentSet.Builder set, Geometry geometry, long offset, long bytes) {
    if (bytes > 0) {
      long start = offset - geometry.offsetInCluster(offset);
      set.add(start, geometry.clustersFor(offset + bytes - start) << geometry.clusterBits());
    }
  }

  /** Tells of a place of the refcount table or a block. */
  void addRefcountStructure(long offset, long bytes) {
    refcountStructures = refcountStructures.union(ExtentSet.of(offset, bytes));
  }

  /** Tells of many such places. */
  void addRefcountStructures(ExtentSet places) {
    refcountStructures = refcountStructures.union(places);
  }

  /**
   * Refuses to take clusters that hold metadata although their refcount is 0.
   *
   * @throws CorruptImageException saying so
   */
  void checkFree(long offset, long bytes) throws CorruptImageException {
    if (holdsMetadata(offset, bytes)) {
      throw new CorruptImageException(
          "refcounts say that the clusters at %d to %d are free, but metadata is there; repair the image first"
              .formatted(offset, offset + bytes));
    }
  }

  /** Whether clusters hold metadata of the kinds known here. */
  boolean holdsMetadata(long offset, long bytes) {
    return tables.intersects(offset, bytes) || refcountStructures.intersects(offset, bytes);
  }

  /** Refuses a refcount block in the place of other metadata. */
  void checkRefcountBlock(long offset) throws CorruptImageException {
    if (tables.intersects(offset, geometry.clusterSize())) {
      throw new CorruptImageException(
          "the refcount block at %d lies where other metadata is; repair the image first"
              .formatted(offset));
    }
  }
}
