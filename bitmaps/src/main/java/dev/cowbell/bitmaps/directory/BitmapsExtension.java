package dev.cowbell.bitmaps.directory;

import java.nio.ByteBuffer;

/**
 * The content of the bitmaps header extension: where the directory is (spec: "Bitmaps extension").
 *
 * @param bitmapCount 1 to {@value BitmapLimits#MAX_BITMAPS}
 * @param directorySize in bytes, 1 to {@value BitmapLimits#MAX_DIRECTORY_SIZE}
 * @param directoryOffset where it starts in the file, cluster-aligned
 */
public record BitmapsExtension(int bitmapCount, int directorySize, long directoryOffset) {

  /** The extension's type in the header. */
  public static final int TYPE = 0x2385_2875;

  /** The number of bytes of its content. */
  public static final int SIZE = 24;

  /**
   * Reads the extension's content. Meaningful only while the header's autoclear bit 0 is set: with
   * the bit clear the content is stale, whatever it says.
   *
   * @param content all of it, from position to limit
   * @param clusterBits the image's cluster size as a power of two
   */
  public static BitmapsExtension decode(ByteBuffer content, int clusterBits)
      throws BitmapFormatException {
    if (content.remaining() != SIZE) {
      throw new BitmapFormatException(
          "the bitmaps extension has %d bytes; it must have %d"
              .formatted(content.remaining(), SIZE));
    }
    ByteBuffer in = content.duplicate();
    long count = in.getInt() & 0xFFFF_FFFFL;
    int reserved = in.getInt();
    long size = in.getLong();
    long offset = in.getLong();
    if (reserved != 0) {
      throw new BitmapFormatException(
          "the bitmaps extension's reserved field is %#x; it must be 0".formatted(reserved));
    }
    if (count == 0 || count > BitmapLimits.MAX_BITMAPS) {
      throw new BitmapFormatException(
          "the bitmaps extension counts %d bitmaps; 1 to %d are allowed"
              .formatted(count, BitmapLimits.MAX_BITMAPS));
    }
    if (offset <= 0 || (offset & (1L << clusterBits) - 1) != 0) {
      throw new BitmapFormatException(
          "the bitmap directory's offset %#x is no positive multiple of the cluster size %d"
              .formatted(offset, 1L << clusterBits));
    }
    if (size <= 0 || size > BitmapLimits.MAX_DIRECTORY_SIZE) {
      throw new BitmapFormatException(
          "the bitmap directory's size is %s bytes; 1 to %d are allowed"
              .formatted(Long.toUnsignedString(size), BitmapLimits.MAX_DIRECTORY_SIZE));
    }
    if (offset > Long.MAX_VALUE - size) {
      throw new BitmapFormatException(
          "the bitmap directory at %#x, %d bytes long, ends behind any file"
              .formatted(offset, size));
    }
    return new BitmapsExtension((int) count, (int) size, offset);
  }

  /** The extension's content as it stands in the header. */
  public ByteBuffer encode() {
    return ByteBuffer.allocate(SIZE)
        .putInt(bitmapCount)
        .putInt(0)
        .putLong(directorySize)
        .putLong(directoryOffset)
        .flip();
  }
}
