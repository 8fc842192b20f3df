package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;

/**
 * The sizes that follow from a header: of clusters, subclusters, tables and what they cover. All
 * lengths are in bytes.
 *
 * @param clusterBits the binary logarithm of the cluster size, 9 to 21
 * @param extendedL2 whether L2 entries are 16 bytes and describe 32 subclusters each
 * @param refcountWidth how wide a refcount is
 */
public record Geometry(int clusterBits, boolean extendedL2, RefcountWidth refcountWidth) {
  public static final int MIN_CLUSTER_BITS = 9;
  public static final int MAX_CLUSTER_BITS = 21;

  /** Extended L2 entries need subclusters of at least a sector. */
  public static final int MIN_CLUSTER_BITS_EXTENDED_L2 = 14;

  public static final int MAX_L1_BYTES = 32 << 20;
  public static final int MAX_REFCOUNT_TABLE_BYTES = 8 << 20;

  /** The bytes of an L1 entry. */
  public static final int L1_ENTRY_SIZE = 8;

  /** The subclusters of a cluster with extended L2 entries. */
  public static final int EXTENDED_L2_SUBCLUSTERS = 32;

  public Geometry {
    if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
      throw new IllegalArgumentException("cluster_bits is " + clusterBits);
    }
    if (extendedL2 && clusterBits < MIN_CLUSTER_BITS_EXTENDED_L2) {
      throw new IllegalArgumentException("extended L2 with cluster_bits " + clusterBits);
    }
  }

  public int clusterSize() {
    return 1 << clusterBits;
  }

  public int l2EntrySize() {
    return extendedL2 ? 16 : 8;
  }

  /** The binary logarithm of {@link #l2Entries()}. */
  public int l2Bits() {
    return clusterBits - (extendedL2 ? 4 : 3);
  }

  /** The entries of an L2 table, which is one cluster long. */
  public int l2Entries() {
    return 1 << l2Bits();
  }

  /** The guest bytes that one L2 table maps. */
  public long l2Coverage() {
    return 1L << (clusterBits + l2Bits());
  }

  /** 32 with extended L2 entries, otherwise 1. */
  public int subclusters() {
    return extendedL2 ? EXTENDED_L2_SUBCLUSTERS : 1;
  }

  /** The smallest run that can be allocated or zero by itself. */
  public int subclusterSize() {
    return clusterSize() / subclusters();
  }

  /** The index of the L1 entry for a guest offset, which may lie behind the disk (VM state). */
  public long l1Index(long guestOffset) {
    return guestOffset >>> (clusterBits + l2Bits());
  }

  /** The index of the L2 entry for a guest offset. */
  public int l2Index(long guestOffset) {
    return (int) (guestOffset >>> clusterBits) & (l2Entries() - 1);
  }

  public int offsetInCluster(long offset) {
    return (int) offset & (clusterSize() - 1);
  }

  public boolean isClusterAligned(long offset) {
    return offsetInCluster(offset) == 0;
  }

  /** The L1 entries that a disk of so many bytes needs. */
  public long l1EntriesFor(long diskSize) {
    return ceilShift(diskSize, clusterBits + l2Bits());
  }

  /** The clusters that so many bytes need. */
  public long clustersFor(long bytes) {
    return ceilShift(bytes, clusterBits);
  }

  /** The refcounts in a refcount block, which is one cluster long. */
  public int refcountBlockEntries() {
    return refcountWidth.perBlock(clusterSize());
  }

  /** The binary logarithm of {@link #refcountBlockEntries()}. */
  public int refcountBlockBits() {
    return clusterBits + 3 - refcountWidth.order();
  }

  /**
   * Checks where a table lies.
   *
   * @param table its name for the message
   * @param offset its first byte, unsigned
   * @param entries how many entries it has, unsigned
   * @param entrySize the bytes of an entry
   * @param maxBytes the greatest length allowed
   * @throws CorruptImageException if it is too long, not cluster-aligned, or ends behind 2^63 - 1
   */
  public void checkTable(String table, long offset, long entries, int entrySize, long maxBytes)
      throws CorruptImageException {
    if (Long.compareUnsigned(entries, maxBytes / entrySize) > 0) {
      throw new CorruptImageException(
          "%s has %s entries of %d bytes, allowed are %d bytes"
              .formatted(table, Long.toUnsignedString(entries), entrySize, maxBytes));
    }
    if (offset < 0 || offset > Long.MAX_VALUE - entries * entrySize) {
      throw new CorruptImageException(
          "%s at offset %s ends behind 2^63 - 1".formatted(table, Long.toUnsignedString(offset)));
    }
    if (!isClusterAligned(offset)) {
      throw new CorruptImageException(
          "%s at offset %d is not aligned to clusters of %d bytes"
              .formatted(table, offset, clusterSize()));
    }
  }

  /**
   * Checks where an L1 table lies: as any table, and not over the header, which would otherwise map
   * guest data by the places of tables.
   *
   * @param table its name for the message
   * @param offset its first byte, unsigned
   * @param entries how many entries it has, unsigned
   * @throws CorruptImageException if it is too long, not cluster-aligned, over the header, or ends
   *     behind 2^63 - 1
   */
  public void checkL1Table(String table, long offset, long entries) throws CorruptImageException {
    checkTable(table, offset, entries, L1_ENTRY_SIZE, MAX_L1_BYTES);
    if (offset == 0 && entries != 0) {
      throw new CorruptImageException(table + " at offset 0 lies over the header");
    }
  }

  private static long ceilShift(long value, int shift) {
    long whole = value >>> shift;
    return (whole << shift) == value ? whole : whole + 1;
  }
}
