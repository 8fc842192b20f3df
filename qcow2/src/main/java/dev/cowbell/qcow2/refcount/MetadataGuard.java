package dev.cowbell.qcow2.refcount;

import dev.cowbell.bitmaps.directory.BitmapFormatException;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Knows where an image's metadata is, so that wrong refcounts or entries don't lead to writing over
 * it. Covers the classes that QEMU checks by default: all but the L2 tables that only snapshots
 * refer to. A look-up costs the same however much metadata there is.
 *
 * <p>Look-ups may run in several threads as long as none changes the marks.
 */
public final class MetadataGuard {

  /** A class of metadata. */
  public enum Kind {
    HEADER(0, "the header"),
    ACTIVE_L1(1, "the active L1 table"),
    ACTIVE_L2(2, "an active L2 table"),
    REFCOUNT_TABLE(3, "the refcount table"),
    REFCOUNT_BLOCK(4, "a refcount block"),
    SNAPSHOT_TABLE(5, "the snapshot table"),
    INACTIVE_L1(6, "a snapshot's L1 table"),
    BITMAP_DIRECTORY(7, "the bitmap directory");

    private final int bit;
    private final String title;

    Kind(int bit, String title) {
      this.bit = bit;
      this.title = title;
    }

    private int mask() {
      return 1 << bit;
    }
  }

  private static final int READ_CHUNK = 1 << 20;

  private final Geometry geometry;
  private final ClusterMarks marks = new ClusterMarks();

  private MetadataGuard(Geometry geometry) {
    this.geometry = geometry;
  }

  /**
   * Reads the active L1 table and the snapshot table of a header that passed {@link
   * Header#checkTables}. Of the refcount structure others tell.
   */
  static MetadataGuard read(HostFile file, ImageHead head) throws IOException {
    Header header = head.header();
    MetadataGuard guard = new MetadataGuard(header.geometry());
    guard.add(Kind.HEADER, 0, 1);
    guard.addActiveTables(file, header);
    guard.addSnapshots(file, header);
    guard.addBitmapDirectory(head);
    return guard;
  }

  private void addActiveTables(HostFile file, Header header) throws IOException {
    long bytes = (long) header.l1Size() * Geometry.L1_ENTRY_SIZE;
    add(Kind.ACTIVE_L1, header.l1TableOffset(), bytes);
    ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(bytes, READ_CHUNK));
    long present = Math.clamp(file.size() - header.l1TableOffset(), 0, bytes);
    for (long done = 0; done < present; done += READ_CHUNK) {
      chunk.clear().limit((int) Math.min(READ_CHUNK, bytes - done));
      file.readPadded(header.l1TableOffset() + done, chunk);
      chunk.flip();
      while (chunk.hasRemaining()) {
        long table = L1Entry.offset(chunk.getLong());
        if (table != 0) {
          add(Kind.ACTIVE_L2, table, geometry.clusterSize());
        }
      }
    }
  }

  /**
   * Tables of different snapshots share no byte, so all of them together are shorter than the file.
   * One that says otherwise is damaged, and marking what it claims could cost any amount.
   */
  private void addSnapshots(HostFile file, Header header) throws IOException {
    long at = header.snapshotsOffset();
    long room = file.size();
    ByteBuffer entry =
        ByteBuffer.allocate(header.nbSnapshots() == 0 ? 0 : SnapshotEntry.MAX_LENGTH);
    for (long i = 0; i < header.nbSnapshots(); i++) {
      entry.clear();
      file.readPadded(at, entry);
      SnapshotEntry snapshot = SnapshotEntry.decode(entry.flip());
      long bytes = snapshot.l1Size() * Geometry.L1_ENTRY_SIZE;
      room -= bytes;
      if (room < 0 || snapshot.l1TableOffset() > file.size() - bytes) {
        throw new CorruptImageException(
            "the L1 table of snapshot %d, %d bytes at %d, lies behind the file's end or in another's place; repair the image first"
                .formatted(i, bytes, snapshot.l1TableOffset()));
      }
      add(Kind.INACTIVE_L1, snapshot.l1TableOffset(), bytes);
      at += entry.position();
    }
    add(Kind.SNAPSHOT_TABLE, header.snapshotsOffset(), at - header.snapshotsOffset());
  }

  private void addBitmapDirectory(ImageHead head) {
    Optional<HeaderExtension.Bitmaps> found = head.extension(HeaderExtension.Bitmaps.class);
    if (found.isEmpty() || !head.header().features().has(Feature.BITMAPS)) {
      return;
    }
    try {
      BitmapsExtension extension =
          BitmapsExtension.decode(found.get().payload().buffer(), geometry.clusterBits());
      add(Kind.BITMAP_DIRECTORY, extension.directoryOffset(), extension.directorySize());
    } catch (BitmapFormatException _) {
      // Where a directory can't be, none has to be guarded; whoever uses bitmaps will say so.
    }
  }

  /** Tells of metadata at a place: whole clusters from the first to the last byte. */
  public void add(Kind kind, long offset, long bytes) {
    forEachCluster(offset, bytes, cluster -> marks.add(cluster, kind.mask()));
  }

  /** Tells that metadata of a kind is no longer at a place. */
  public void remove(Kind kind, long offset, long bytes) {
    forEachCluster(offset, bytes, cluster -> marks.remove(cluster, kind.mask()));
  }

  private interface ClusterConsumer {
    void accept(long cluster);
  }

  private void forEachCluster(long offset, long bytes, ClusterConsumer each) {
    if (bytes > 0 && offset >= 0) {
      long last = (offset + bytes - 1) >>> geometry.clusterBits();
      for (long cluster = offset >>> geometry.clusterBits(); cluster <= last; cluster++) {
        each.accept(cluster);
      }
    }
  }

  private int found(long offset, long bytes) {
    int found = 0;
    long last = (offset + bytes - 1) >>> geometry.clusterBits();
    for (long cluster = offset >>> geometry.clusterBits(); cluster <= last; cluster++) {
      found |= marks.get(cluster);
    }
    return found;
  }

  /** Whether clusters hold metadata of any kind. */
  boolean holdsMetadata(long offset, long bytes) {
    return found(offset, bytes) != 0;
  }

  /** Whether clusters hold metadata of another kind than the given one. */
  boolean holdsOther(Kind kind, long offset, long bytes) {
    return (found(offset, bytes) & ~kind.mask()) != 0;
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

  /**
   * Refuses guest data in the place of metadata.
   *
   * @throws CorruptImageException naming both
   */
  public void checkData(long offset, long bytes) throws CorruptImageException {
    int found = found(offset, bytes);
    if (found != 0) {
      throw overlap("guest data", offset, bytes, found);
    }
  }

  /**
   * Refuses metadata in the place of metadata of another kind.
   *
   * @throws CorruptImageException naming both
   */
  public void checkMetadata(Kind kind, long offset, long bytes) throws CorruptImageException {
    int found = found(offset, bytes) & ~kind.mask();
    if (found != 0) {
      throw overlap(kind.title, offset, bytes, found);
    }
  }

  private static CorruptImageException overlap(String what, long offset, long bytes, int found) {
    Kind there = Kind.values()[Integer.numberOfTrailingZeros(found)];
    return new CorruptImageException(
        "%s at %d, %d bytes, would be written over %s; the image is damaged, repair it first"
            .formatted(what, offset, bytes, there.title));
  }
}
