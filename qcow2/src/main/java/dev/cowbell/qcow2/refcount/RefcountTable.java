package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The refcount table: where each refcount block is (specification: "Host cluster management"). Held
 * in memory as a whole, 8 MiB at most; changed entries are written by {@link #writeBack}.
 */
final class RefcountTable {

  static final int ENTRY_SIZE = 8;

  private static final int ENTRIES_PER_SECTOR = 512 / ENTRY_SIZE;

  /** The lowest bits of an entry are reserved. */
  private static final long OFFSET_MASK = -512L;

  private final HostFile file;
  private final Geometry geometry;
  private long offset;
  private long[] entries;

  /** The range of entries that differ from the disk. */
  private int firstChanged = Integer.MAX_VALUE;

  private int lastChanged = -1;

  private RefcountTable(HostFile file, Geometry geometry, long offset, long[] entries) {
    this.file = file;
    this.geometry = geometry;
    this.offset = offset;
    this.entries = entries;
  }

  /** Reads the table of a header that passed {@link Header#checkTables}. */
  static RefcountTable read(HostFile file, Header header) throws IOException {
    Geometry geometry = header.geometry();
    int size = (int) header.refcountTableClusters() << geometry.clusterBits();
    ByteBuffer bytes = ByteBuffer.allocate(size);
    file.read(header.refcountTableOffset(), bytes);
    long[] entries = new long[size / ENTRY_SIZE];
    bytes.clear().asLongBuffer().get(entries);
    return new RefcountTable(file, geometry, header.refcountTableOffset(), entries);
  }

  /** The number of entries, and so of refcount blocks that can be referred to. */
  int length() {
    return entries.length;
  }

  long offset() {
    return offset;
  }

  /** The bytes of the table: whole clusters. */
  long size() {
    return (long) entries.length * ENTRY_SIZE;
  }

  /**
   * Where block {@code index} is.
   *
   * @return 0 if there is none, which makes all its clusters free
   * @throws CorruptImageException if the entry can't be an offset
   */
  long block(long index) throws CorruptImageException {
    if (index >= entries.length) {
      return 0;
    }
    long block = entries[(int) index] & OFFSET_MASK;
    if (!isPossible(block)) {
      throw new CorruptImageException(
          "refcount table entry %d is %#x, which is no multiple of the cluster size %d"
              .formatted(index, block, geometry.clusterSize()));
    }
    return block;
  }

  /** Whether entry {@code index} can be an offset, or is none; not so in damaged images. */
  boolean isPossible(int index) {
    return isPossible(entries[index] & OFFSET_MASK);
  }

  private boolean isPossible(long block) {
    return block >= 0 && geometry.isClusterAligned(block);
  }

  /** The last entry that refers to a block, or -1. */
  int lastBlock() {
    int last = entries.length - 1;
    while (last >= 0 && entries[last] == 0) {
      last--;
    }
    return last;
  }

  void set(int index, long block) {
    entries[index] = block;
    firstChanged = Math.min(firstChanged, index);
    lastChanged = Math.max(lastChanged, index);
  }

  boolean isChanged() {
    return lastChanged >= 0;
  }

  /**
   * Writes changed entries in place. The blocks they refer to must be on stable storage. A block
   * may be described by one before it in the table, so of several sectors the first has to be
   * durable before the next is written.
   */
  void writeBack() throws IOException {
    for (int from = firstChanged; from <= lastChanged; ) {
      int to = Math.min(lastChanged + 1, (from / ENTRIES_PER_SECTOR + 1) * ENTRIES_PER_SECTOR);
      if (from > firstChanged) {
        file.flush();
      }
      file.write(offset + (long) from * ENTRY_SIZE, encode(from, to));
      from = to;
    }
    firstChanged = Integer.MAX_VALUE;
    lastChanged = -1;
  }

  /**
   * Takes the table to another place with more entries, and writes all of it there. The header
   * still refers to the old one.
   */
  void move(long newOffset, int newLength) throws IOException {
    entries = Arrays.copyOf(entries, newLength);
    offset = newOffset;
    file.write(newOffset, encode(0, newLength));
    firstChanged = Integer.MAX_VALUE;
    lastChanged = -1;
  }

  private ByteBuffer encode(int from, int to) {
    ByteBuffer bytes = ByteBuffer.allocate((to - from) * ENTRY_SIZE);
    bytes.asLongBuffer().put(entries, from, to - from);
    return bytes;
  }
}
