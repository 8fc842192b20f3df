package dev.cowbell.qcow2.format;

/**
 * Where a compressed cluster lies (specification: "Compressed Clusters Descriptor").
 *
 * @param hostOffset its first byte in the image file, not aligned to anything
 * @param length the bytes to read: from the first one to the end of the last 512-byte sector that
 *     the descriptor counts; the stream may end earlier
 */
public record CompressedDescriptor(long hostOffset, int length) {
  private static final int SECTOR = 512;

  public CompressedDescriptor {
    if (hostOffset < 0 || length < 1) {
      throw new IllegalArgumentException("no compressed cluster: " + hostOffset + ", " + length);
    }
  }

  public static CompressedDescriptor decode(long word, Geometry geometry) {
    return new CompressedDescriptor(hostOffset(word, geometry), length(word, geometry));
  }

  /** {@link #hostOffset()} for loops that keep plain words. */
  public static long hostOffset(long word, Geometry geometry) {
    return word & ((1L << sizeShift(geometry)) - 1);
  }

  /** {@link #length()} for loops that keep plain words. */
  public static int length(long word, Geometry geometry) {
    int shift = sizeShift(geometry);
    int sectors = (int) (word >>> shift) & ((1 << (62 - shift)) - 1);
    return (sectors + 1) * SECTOR - (int) (word & (SECTOR - 1));
  }

  /** The greatest host offset a descriptor can hold. */
  public static long maxHostOffset(Geometry geometry) {
    return (1L << sizeShift(geometry)) - 1;
  }

  /** The descriptor's 62 bits, without the flags of an L2 entry. */
  public long encode(Geometry geometry) {
    int shift = sizeShift(geometry);
    long sectors = (hostOffset + length - 1) / SECTOR - hostOffset / SECTOR;
    if (hostOffset > maxHostOffset(geometry) || sectors >= 1L << (62 - shift)) {
      throw new IllegalArgumentException("no room in a descriptor for " + this);
    }
    return (sectors << shift) | hostOffset;
  }

  private static int sizeShift(Geometry geometry) {
    return 62 - (geometry.clusterBits() - 8);
  }
}
