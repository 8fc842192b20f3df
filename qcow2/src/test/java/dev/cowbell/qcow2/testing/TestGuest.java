package dev.cowbell.qcow2.testing;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Writes whole clusters to a small image as a guest would, with copies of what is shared. */
public final class TestGuest {

  private TestGuest() {}

  /** Fills a guest cluster with one byte. */
  public static void write(HostFile file, long guestCluster, int fill) throws IOException {
    HeadWriter head = HeadWriter.open(file);
    Header header = head.head().header();
    Geometry geometry = header.geometry();
    ClusterAllocator allocator = ClusterAllocator.open(file, head);
    long guest = guestCluster << geometry.clusterBits();
    long l1At = header.l1TableOffset() + 8 * geometry.l1Index(guest);
    long l1 = word(file, l1At);
    ByteBuffer table = ByteBuffer.allocate(geometry.clusterSize());
    long l2 = L1Entry.offset(l1);
    long newL2 = l2;
    if (l2 != 0) {
      file.readPadded(l2, table);
    }
    if (!new L1Entry(l1).copied()) {
      newL2 = allocator.allocate(1);
    }
    int at = 8 * geometry.l2Index(guest);
    long entry = table.getLong(at);
    long data = L2Entry.offset(entry);
    long newData = data;
    if (!L2Entry.isCopied(entry)) {
      newData = allocator.allocate(1);
      table.putLong(at, L2Entry.data(newData, true).word());
    }
    byte[] bytes = new byte[geometry.clusterSize()];
    Arrays.fill(bytes, (byte) fill);
    file.write(newData, ByteBuffer.wrap(bytes));
    file.write(newL2, table.clear());
    ByteBuffer pointer = ByteBuffer.allocate(8).putLong(0, L1Entry.of(newL2, true).word());
    file.write(l1At, pointer);
    if (newL2 != l2 && l2 != 0) {
      allocator.freeLater(Kind.ACTIVE_L2, l2, 1);
    }
    if (newData != data && data != 0) {
      allocator.freeLater(data, 1);
    }
    allocator.freeNow();
    file.flush();
  }

  private static long word(HostFile file, long at) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(8);
    file.readPadded(at, bytes);
    return bytes.getLong(0);
  }
}
