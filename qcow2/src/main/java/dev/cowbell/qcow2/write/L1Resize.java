package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Gives a quiesced image another disk size: the header, and an L1 table with as many entries as
 * that needs. The one write to the header decides.
 */
final class L1Resize {
  private static final int CHUNK = 1 << 20;

  private final HostFile file;
  private final HeadWriter head;
  private final ClusterAllocator allocator;
  private final Header header;
  private final Geometry geometry;

  L1Resize(HostFile file, HeadWriter head, ClusterAllocator allocator) {
    this.file = file;
    this.head = head;
    this.allocator = allocator;
    this.header = head.head().header();
    this.geometry = header.geometry();
  }

  /**
   * Refuses what the format does not allow.
   *
   * @throws UnsupportedFeatureException saying why
   */
  static void check(Header header, long diskSize) throws UnsupportedFeatureException {
    if (header.version() < 3 && header.nbSnapshots() > 0) {
      throw new UnsupportedFeatureException(
          "an image of version 2 with internal snapshots can't be resized: they don't store a size");
    }
    long l1Bytes = header.geometry().l1EntriesFor(diskSize) * Geometry.L1_ENTRY_SIZE;
    if (l1Bytes > Geometry.MAX_L1_BYTES) {
      throw new UnsupportedFeatureException(
          "a disk of %d bytes needs an L1 table of %d bytes, allowed are %d; use larger clusters"
              .formatted(diskSize, l1Bytes, Geometry.MAX_L1_BYTES));
    }
  }

  /** Gives the disk another size. Durable when this returns. */
  void to(long diskSize) throws IOException {
    long needed = geometry.l1EntriesFor(diskSize);
    if (needed > header.l1Size()) {
      moveTable(needed, diskSize);
      return;
    }
    int kept = diskSize < header.size() ? (int) Math.max(1, needed) : header.l1Size();
    head.putActiveTable(header.l1TableOffset(), Math.min(kept, header.l1Size()), diskSize);
    freeTable(kept);
  }

  /** Makes the L1 table long enough to map so many bytes; the disk's size stays. */
  void cover(long bytes) throws IOException {
    long needed = geometry.l1EntriesFor(bytes);
    if (needed > header.l1Size()) {
      moveTable(needed, header.size());
    }
  }

  private void moveTable(long needed, long diskSize) throws IOException {
    long bytes = needed * Geometry.L1_ENTRY_SIZE;
    long offset = allocator.allocate(geometry.clustersFor(bytes));
    copyTable(offset, geometry.clustersFor(bytes) << geometry.clusterBits());
    allocator.writeBack();
    file.flush();
    head.putActiveTable(offset, (int) needed, diskSize);
    freeTable(0);
  }

  private void copyTable(long to, long bytes) throws IOException {
    ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(bytes, CHUNK));
    long used = (long) header.l1Size() * Geometry.L1_ENTRY_SIZE;
    for (long done = 0; done < bytes; done += CHUNK) {
      chunk.clear().limit((int) Math.min(CHUNK, bytes - done));
      int copied = Math.clamp(used - done, 0, chunk.limit());
      if (copied > 0) {
        file.readPadded(header.l1TableOffset() + done, chunk.slice(0, copied));
      }
      Arrays.fill(chunk.array(), copied, chunk.limit(), (byte) 0);
      file.write(to + done, chunk);
    }
  }

  /** Frees the clusters of the old table behind its first entries. */
  private void freeTable(long keptEntries) throws IOException {
    int bits = geometry.clusterBits();
    long kept = geometry.clustersFor(keptEntries * Geometry.L1_ENTRY_SIZE) << bits;
    long all = geometry.clustersFor((long) header.l1Size() * Geometry.L1_ENTRY_SIZE) << bits;
    if (all > kept) {
      allocator.freeLater(Kind.ACTIVE_L1, header.l1TableOffset() + kept, all - kept);
    }
    allocator.freeNow();
  }
}
