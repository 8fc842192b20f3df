package dev.cowbell.qcow2.testing;

import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapTable;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * Counts what refers to each cluster of a small image without data clusters, and compares with its
 * refcounts: written apart from the code under test.
 *
 * @param leaks clusters whose refcount is larger than what refers to them
 * @param corruptions clusters whose refcount is smaller, or places that can't be
 */
public record RefcountAudit(int leaks, int corruptions) {

  /** Looks at a whole image. */
  public static RefcountAudit of(byte[] bytes) throws Exception {
    ByteBuffer image = ByteBuffer.wrap(bytes);
    ByteBuffer first = ByteBuffer.allocate(1 << 21);
    first.put(bytes, 0, Math.min(bytes.length, 1 << 21)).clear();
    ImageHead head = ImageHead.decode(first);
    Header header = head.header();
    Geometry geometry = header.geometry();
    Map<Long, Long> expected = new HashMap<>();
    add(expected, geometry, 0, 1);
    add(
        expected,
        geometry,
        header.refcountTableOffset(),
        header.refcountTableClusters() << geometry.clusterBits());
    add(expected, geometry, header.l1TableOffset(), header.l1Size() * 8L);
    for (int i = 0; i < header.l1Size(); i++) {
      long l2 = L1Entry.offset(image.getLong((int) header.l1TableOffset() + 8 * i));
      add(expected, geometry, l2, l2 == 0 ? 0 : 1);
    }
    addBitmaps(expected, image, head);
    Map<Long, Long> actual = new HashMap<>();
    int entries = (int) (header.refcountTableClusters() << geometry.clusterBits()) / 8;
    for (int i = 0; i < entries; i++) {
      long block = image.getLong((int) header.refcountTableOffset() + 8 * i);
      if (block != 0) {
        add(expected, geometry, block, 1);
        ByteBuffer refcounts = image.slice((int) block, geometry.clusterSize());
        for (int j = 0; j < geometry.refcountBlockEntries(); j++) {
          long refcount = geometry.refcountWidth().get(refcounts, j);
          actual.merge(((long) i << geometry.refcountBlockBits()) + j, refcount, Long::sum);
        }
      }
    }
    int leaks = 0;
    int corruptions = 0;
    actual.values().removeIf(refcount -> refcount == 0);
    for (Map.Entry<Long, Long> entry : actual.entrySet()) {
      leaks += entry.getValue() > expected.getOrDefault(entry.getKey(), 0L) ? 1 : 0;
    }
    for (Map.Entry<Long, Long> entry : expected.entrySet()) {
      corruptions += entry.getValue() > actual.getOrDefault(entry.getKey(), 0L) ? 1 : 0;
    }
    return new RefcountAudit(leaks, corruptions);
  }

  private static void addBitmaps(Map<Long, Long> expected, ByteBuffer image, ImageHead head)
      throws Exception {
    var found = head.extension(HeaderExtension.Bitmaps.class);
    if (found.isEmpty() || !head.header().features().has(Feature.BITMAPS)) {
      return;
    }
    int clusterBits = head.header().clusterBits();
    Geometry geometry = head.header().geometry();
    BitmapsExtension extension =
        BitmapsExtension.decode(found.get().payload().buffer(), clusterBits);
    add(expected, geometry, extension.directoryOffset(), extension.directorySize());
    ByteBuffer bytes = image.slice((int) extension.directoryOffset(), extension.directorySize());
    for (BitmapEntry entry : BitmapDirectory.decode(bytes, extension.bitmapCount()).entries()) {
      add(expected, geometry, entry.tableOffset(), entry.tableLength() * 8);
      BitmapTable table =
          BitmapTable.decode(
              image.slice((int) entry.tableOffset(), (int) entry.tableLength() * 8), clusterBits);
      for (int i = 0; i < table.length(); i++) {
        if (table.dataOffset(i) != 0) {
          add(expected, geometry, table.dataOffset(i), 1);
        }
      }
    }
  }

  private static void add(Map<Long, Long> expected, Geometry geometry, long offset, long bytes) {
    long first = offset >>> geometry.clusterBits();
    for (long i = 0; i < geometry.clustersFor(bytes); i++) {
      expected.merge(first + i, 1L, Long::sum);
    }
  }
}
