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
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * Counts what refers to each cluster of a small image, and compares with its refcounts and COPIED
 * flags: written apart from the code under test.
 *
 * @param leaks clusters whose refcount is larger than what refers to them
 * @param corruptions clusters whose refcount is smaller, and shared ones whose COPIED flag says
 *     that they are not; a flag beside a refcount that is too large counts among the leaks
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
    Map<Long, Boolean> copied = new HashMap<>();
    addTables(expected, copied, image, header, header.l1TableOffset(), header.l1Size());
    addSnapshots(expected, image, header);
    addBitmaps(expected, image, head);
    head.extension(HeaderExtension.FullDiskEncryption.class)
        .ifPresent(area -> add(expected, geometry, area.offset(), area.length()));
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
      corruptions += entry.getKey() << geometry.clusterBits() >= bytes.length ? 1 : 0;
    }
    for (Map.Entry<Long, Boolean> entry : copied.entrySet()) {
      boolean alone = actual.getOrDefault(entry.getKey(), 0L) == 1;
      corruptions += entry.getValue() && expected.getOrDefault(entry.getKey(), 0L) > 1 ? 1 : 0;
      leaks += alone && !entry.getValue() ? 1 : 0;
    }
    return new RefcountAudit(leaks, corruptions);
  }

  private static void addTables(
      Map<Long, Long> expected,
      Map<Long, Boolean> copied,
      ByteBuffer image,
      Header header,
      long l1Offset,
      long l1Size) {
    Geometry geometry = header.geometry();
    int bits = geometry.clusterBits();
    add(expected, geometry, l1Offset, l1Size * 8);
    for (int i = 0; i < l1Size; i++) {
      long l1 = word(image, l1Offset + 8L * i);
      long l2 = L1Entry.offset(l1);
      if (l2 == 0) {
        continue;
      }
      add(expected, geometry, l2, 1);
      copied.put(l2 >>> bits, l1 < 0);
      for (int j = 0; j < geometry.l2Entries(); j++) {
        long entry = word(image, l2 + (long) j * geometry.l2EntrySize());
        if ((entry >>> 62 & 1) != 0) {
          int shift = 62 - (bits - 8);
          long offset = entry & ((1L << shift) - 1);
          long sectors = (entry >>> shift & ((1L << (62 - shift)) - 1)) + 1;
          long last = ((offset & -512) + sectors * 512 - 1) >>> bits;
          for (long k = offset >>> bits; k <= last; k++) {
            expected.merge(k, 1L, Long::sum);
          }
        } else if ((entry & 0x00ff_ffff_ffff_fe00L) != 0
            && !header.features().has(Feature.EXTERNAL_DATA_FILE)) {
          long cluster = (entry & 0x00ff_ffff_ffff_fe00L) >>> bits;
          expected.merge(cluster, 1L, Long::sum);
          copied.put(cluster, entry < 0);
        }
      }
    }
  }

  /** What is behind the end reads as zero. */
  private static long word(ByteBuffer image, long at) {
    return at + 8 <= image.limit() ? image.getLong((int) at) : 0;
  }

  private static void addSnapshots(Map<Long, Long> expected, ByteBuffer image, Header header)
      throws Exception {
    ByteBuffer table = image.duplicate().position((int) header.snapshotsOffset());
    for (int i = 0; i < header.nbSnapshots(); i++) {
      SnapshotEntry entry = SnapshotEntry.decode(table);
      addTables(expected, new HashMap<>(), image, header, entry.l1TableOffset(), entry.l1Size());
    }
    add(
        expected,
        header.geometry(),
        header.snapshotsOffset(),
        table.position() - header.snapshotsOffset());
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
