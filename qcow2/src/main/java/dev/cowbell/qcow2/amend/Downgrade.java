package dev.cowbell.qcow2.amend;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import dev.cowbell.qcow2.refcount.ReferenceBatch;
import dev.cowbell.qcow2.snapshot.SnapshotTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes a version 3 image one of version 2. That has no ZERO flag: where there is no backing file
 * an entry that says nothing reads as zeroes, too, and takes its place.
 */
final class Downgrade {

  /** How many clusters wait at most for the entries that no longer refer to them. */
  private static final int MAX_WAITING = 1 << 20;

  private final HostFile file;
  private final HeadWriter head;
  private final Header header;
  private final Geometry geometry;
  private final ClusterAllocator allocator;
  private final ByteBuffer table;
  private final long[] waiting = new long[MAX_WAITING];
  private int waitingCount;

  Downgrade(HostFile file, HeadWriter head) throws IOException {
    this.file = file;
    this.head = head;
    this.header = head.head().header();
    this.geometry = header.geometry();
    this.allocator = ClusterAllocator.open(file, head);
    this.table = ByteBuffer.allocateDirect(geometry.clusterSize());
  }

  void run() throws IOException {
    checkHead();
    List<L1> tables = tables();
    for (L1 l1 : tables) {
      eachL2(l1, _ -> checkL2());
    }
    head.clearUnknownAutoclear();
    for (L1 l1 : tables) {
      eachL2(l1, this::clearZeroFlags);
    }
    release();
    ImageHead now = head.head();
    ImageHead wanted =
        now.withoutExtension(HeaderExtension.FEATURE_NAME_TABLE_TYPE)
            .withoutExtension(HeaderExtension.BITMAPS_TYPE);
    head.replace(wanted.withHeader(now.header().change().version2().build()));
  }

  private void checkHead() throws IOException {
    if (header.features().has(Feature.EXTERNAL_DATA_FILE)) {
      throw cannot("has an external data file");
    }
    if (header.features().has(Feature.EXTENDED_L2)) {
      throw cannot("has extended L2 entries");
    }
    int bitmaps = PersistentBitmaps.read(file, head.head()).list().size();
    if (bitmaps > 0) {
      throw cannot("has %d persistent bitmaps; remove them first".formatted(bitmaps));
    }
  }

  private static UnsupportedFeatureException cannot(String what) {
    return new UnsupportedFeatureException("the image can't become one of version 2: it " + what);
  }

  private record L1(long offset, long entries) {}

  /** The active L1 table and those of all snapshots. */
  private List<L1> tables() throws IOException {
    List<L1> tables = new ArrayList<>();
    tables.add(new L1(header.l1TableOffset(), header.l1Size()));
    for (SnapshotEntry snapshot : SnapshotTable.read(file, header).entries()) {
      long size = snapshot.diskSize().orElse(header.diskSize());
      if (size != header.diskSize()) {
        throw cannot(
            "has the snapshot %s of %d bytes, and itself %d"
                .formatted(snapshot.id(), size, header.diskSize()));
      }
      snapshot.checkL1(geometry, size);
      tables.add(new L1(snapshot.l1TableOffset(), snapshot.l1Size()));
    }
    return tables;
  }

  /** Looks at the L2 table that has been read. */
  @FunctionalInterface
  private interface L2Step {
    void run(long offset) throws IOException;
  }

  private void eachL2(L1 l1, L2Step step) throws IOException {
    ByteBuffer words = ByteBuffer.allocate((int) l1.entries() * Geometry.L1_ENTRY_SIZE);
    file.readPadded(l1.offset(), words);
    words.clear();
    while (words.hasRemaining()) {
      long l2 = L1Entry.offset(words.getLong());
      if (l2 == 0) {
        continue;
      }
      if (!geometry.isClusterAligned(l2)) {
        throw new CorruptImageException(
            "the L2 table at %d is not cluster-aligned; repair the image first".formatted(l2));
      }
      file.readPadded(l2, table.clear());
      table.clear();
      step.run(l2);
    }
  }

  private void checkL2() throws UnsupportedFeatureException {
    boolean backed = head.head().backingFile().isPresent();
    boolean zlib = header.compressionType() == CompressionType.ZLIB;
    for (int at = 0; at < table.capacity(); at += Long.BYTES) {
      long word = table.getLong(at);
      if (L2Entry.isCompressed(word)) {
        if (!zlib) {
          throw cannot("has clusters compressed with " + header.compressionType());
        }
      } else if (backed && L2Entry.isZero(word)) {
        throw cannot("has zero clusters that hide a backing file");
      }
    }
  }

  private void clearZeroFlags(long l2) throws IOException {
    boolean changed = false;
    long users = 0;
    for (int at = 0; at < table.capacity(); at += Long.BYTES) {
      long word = table.getLong(at);
      if (L2Entry.isCompressed(word) || !L2Entry.isZero(word)) {
        continue;
      }
      table.putLong(at, 0);
      changed = true;
      long cluster = L2Entry.offset(word) >>> geometry.clusterBits();
      if (cluster != 0) {
        users = users == 0 ? Math.max(1, allocator.refcount(l2)) : users;
        // Who refers to a table refers to all in it; the others find this entry changed.
        await(l2, cluster, users);
      }
    }
    if (changed) {
      write(l2);
    }
  }

  private void write(long l2) throws IOException {
    allocator.guard().checkMetadata(Kind.ACTIVE_L2, l2, geometry.clusterSize());
    file.write(l2, table.duplicate().clear());
  }

  private void await(long l2, long cluster, long users) throws IOException {
    for (long i = 0; i < users; i++) {
      if (waitingCount == MAX_WAITING) {
        write(l2);
        release();
      }
      waiting[waitingCount++] = cluster;
    }
  }

  /** Frees what no entry on stable storage refers to any more. */
  private void release() throws IOException {
    file.flush();
    ReferenceBatch batch = allocator.startReleasing(Long.MAX_VALUE);
    for (int i = 0; i < waitingCount; i++) {
      batch.add(waiting[i]);
    }
    batch.finish();
    allocator.writeBack();
    waitingCount = 0;
  }
}
