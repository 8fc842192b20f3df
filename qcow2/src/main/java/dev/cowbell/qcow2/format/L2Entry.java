package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;
import java.util.OptionalLong;

/**
 * An entry of an L2 table (specification: "Cluster mapping", "Extended L2 Entries"). The static
 * methods are for loops that keep plain words; this class alone knows the bits.
 *
 * @param word the first 64 bits as they stand in the image
 * @param bitmap the subcluster bitmap of an extended entry, 0 for a standard one
 */
public record L2Entry(long word, long bitmap) {
  private static final long OFFSET = 0x00ff_ffff_ffff_fe00L;
  private static final long COPIED = 1L << 63;
  private static final long COMPRESSED = 1L << 62;
  private static final long ZERO = 1;
  private static final long LOW_32 = 0xffff_ffffL;

  /** An entry that says nothing: the backing file shows through. */
  public static final L2Entry UNALLOCATED = new L2Entry(0, 0);

  /** A standard entry that reads as zeroes and holds no host cluster. */
  public static final L2Entry ZERO_PLAIN = new L2Entry(ZERO, 0);

  /** An extended entry whose every subcluster reads as zeroes, without a host cluster. */
  public static final L2Entry EXTENDED_ZERO_PLAIN = new L2Entry(0, LOW_32 << 32);

  /** A standard entry for a plain data cluster. */
  public static L2Entry data(long hostOffset, boolean copied) {
    return new L2Entry(checkOffset(hostOffset) | copiedFlag(copied), 0);
  }

  /** A standard entry that reads as zeroes and keeps a host cluster. */
  public static L2Entry zeroAllocated(long hostOffset, boolean copied) {
    return new L2Entry(checkOffset(hostOffset) | copiedFlag(copied) | ZERO, 0);
  }

  /** An extended entry. Bit n of {@code allocated} and {@code zero} stands for subcluster n. */
  public static L2Entry extended(long hostOffset, boolean copied, int allocated, int zero) {
    if ((allocated & zero) != 0) {
      throw new IllegalArgumentException("a subcluster can't be both allocated and zero");
    }
    return new L2Entry(
        checkOffset(hostOffset) | copiedFlag(copied),
        ((zero & LOW_32) << 32) | (allocated & LOW_32));
  }

  /** An entry for a compressed cluster. */
  public static L2Entry compressed(CompressedDescriptor descriptor, Geometry geometry) {
    return new L2Entry(COMPRESSED | descriptor.encode(geometry), 0);
  }

  public static boolean isCompressed(long word) {
    return (word & COMPRESSED) != 0;
  }

  /** The ZERO flag of a standard entry; of no meaning in an extended or compressed one. */
  public static boolean isZero(long word) {
    return (word & ZERO) != 0;
  }

  public static boolean isCopied(long word) {
    return (word & COPIED) != 0;
  }

  /** The host offset of the cluster; of no meaning in a compressed entry. */
  public static long offset(long word) {
    return word & OFFSET;
  }

  /**
   * The word without its COPIED flag: two entries that agree in it (and in the bitmap) show the
   * same bytes.
   */
  public static long withoutCopied(long word) {
    return word & ~COPIED;
  }

  /** The word with its COPIED flag: it says that the cluster's refcount is exactly one. */
  public static long withCopied(long word) {
    return word | COPIED;
  }

  /** The subclusters of an extended entry that hold data: bit n for subcluster n. */
  public static int allocatedSubclusters(long bitmap) {
    return (int) bitmap;
  }

  /** The subclusters of an extended entry that read as zeroes: bit n for subcluster n. */
  public static int zeroSubclusters(long bitmap) {
    return (int) (bitmap >>> 32);
  }

  /** The bits that must be zero and are not; QEMU ignores them on reading. */
  public long reserved(boolean extended) {
    if (isCompressed(word)) {
      return 0;
    }
    return word & ~(OFFSET | COPIED | (extended ? 0 : ZERO));
  }

  /**
   * What the entry says about one subcluster (with standard entries: about the whole cluster).
   *
   * @param guestCluster the guest offset of the entry's cluster
   * @param subcluster 0 to 31 with extended entries, otherwise 0
   * @throws CorruptImageException if QEMU would answer a read of it with an error
   */
  public Mapping mapping(L2Rules rules, long guestCluster, int subcluster)
      throws CorruptImageException {
    Geometry geometry = rules.geometry();
    rules.check(word, bitmap, guestCluster);
    if (isCompressed(word)) {
      CompressedDescriptor descriptor = CompressedDescriptor.decode(word, geometry);
      return new Mapping.Compressed(descriptor.hostOffset(), descriptor.length());
    }
    long within = (long) subcluster * geometry.subclusterSize();
    OptionalLong host =
        rules.holdsCluster(word) ? OptionalLong.of(offset(word) + within) : OptionalLong.empty();
    boolean extended = geometry.extendedL2();
    if (extended ? (zeroSubclusters(bitmap) >>> subcluster & 1) != 0 : isZero(word)) {
      return new Mapping.Zero(host);
    }
    boolean data =
        extended ? (allocatedSubclusters(bitmap) >>> subcluster & 1) != 0 : host.isPresent();
    return data ? new Mapping.Data(host.orElseThrow()) : new Mapping.Unallocated(host);
  }

  private static long copiedFlag(boolean copied) {
    return copied ? COPIED : 0;
  }

  private static long checkOffset(long hostOffset) {
    if ((hostOffset & ~OFFSET) != 0) {
      throw new IllegalArgumentException("no offset for a cluster: " + hostOffset);
    }
    return hostOffset;
  }
}
