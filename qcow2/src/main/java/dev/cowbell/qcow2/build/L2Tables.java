package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The L1 table of a new image and the L2 tables below it, filled in guest order. Small L2 tables
 * are written several at a time, next to each other, where one read gets them all.
 */
final class L2Tables {
  private static final int BATCH = 128 << 10;

  private final HostFile file;
  private final Geometry geometry;
  private final SequentialRefcounts refcounts;
  private final long[] l1;

  /** Tables that are not written yet, and which L1 entries they belong to. */
  private final ByteBuffer pending;

  private final int[] owners;
  private int count;

  /**
   * @param entries of the L1 table
   */
  L2Tables(HostFile file, Geometry geometry, SequentialRefcounts refcounts, int entries) {
    this.file = file;
    this.geometry = geometry;
    this.refcounts = refcounts;
    l1 = new long[entries];
    owners = new int[Math.max(1, Math.min(entries, BATCH >> geometry.clusterBits()))];
    pending = ByteBuffer.allocate(owners.length << geometry.clusterBits());
  }

  /**
   * Enters a cluster.
   *
   * @param guestOffset a multiple of the cluster size, behind all that was entered before
   */
  void map(long guestOffset, L2Entry entry) throws IOException {
    map(guestOffset, entry.word(), entry.bitmap());
  }

  /**
   * Enters clusters that follow each other on the disk and, unless it is {@code step} 0, in the
   * file.
   *
   * @param first the first one's entry
   * @param step by how much the entries' host offsets grow
   */
  void mapRun(long guestOffset, long clusters, L2Entry first, long step) throws IOException {
    long word = first.word();
    long at = guestOffset;
    for (long i = 0; i < clusters; i++) {
      map(at, word, first.bitmap());
      at += geometry.clusterSize();
      word += step;
    }
  }

  private void map(long guestOffset, long word, long bitmap) throws IOException {
    int index = (int) geometry.l1Index(guestOffset);
    if (count == 0 || owners[count - 1] != index) {
      if (count == owners.length) {
        write();
      }
      owners[count++] = index;
    }
    int at =
        ((count - 1) << geometry.clusterBits())
            + geometry.l2Index(guestOffset) * geometry.l2EntrySize();
    pending.putLong(at, word);
    if (geometry.extendedL2()) {
      pending.putLong(at + Long.BYTES, bitmap);
    }
  }

  private void write() throws IOException {
    if (count == 0) {
      return;
    }
    long offset = refcounts.allocate(count);
    file.write(offset, pending.clear().limit(count << geometry.clusterBits()));
    for (int i = 0; i < count; i++) {
      l1[owners[i]] = L1Entry.of(offset + ((long) i << geometry.clusterBits()), true).word();
    }
    Zeroes.fill(pending.rewind());
    count = 0;
  }

  int l1Entries() {
    return l1.length;
  }

  /** Writes what is left and the L1 table, and returns where that is. */
  long finish() throws IOException {
    write();
    // a disk of no bytes has a table of no entries, which still has to be somewhere
    long length = Math.max(1, l1.length) * (long) Geometry.L1_ENTRY_SIZE;
    long offset = refcounts.allocate(geometry.clustersFor(length));
    ByteBuffer bytes = ByteBuffer.allocate(l1.length * Geometry.L1_ENTRY_SIZE);
    bytes.asLongBuffer().put(l1);
    file.write(offset, bytes);
    return offset;
  }
}
