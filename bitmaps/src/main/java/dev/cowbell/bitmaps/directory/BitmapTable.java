package dev.cowbell.bitmaps.directory;

import java.nio.ByteBuffer;

/**
 * A bitmap table: for each cluster's worth of bits, where they are or that all of them are alike
 * (spec: "Bitmap table").
 */
public final class BitmapTable {

  /** The bytes of one entry. */
  public static final int ENTRY_SIZE = 8;

  private static final long OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00L;
  private static final long RESERVED_MASK = 0xFF00_0000_0000_01FEL;
  private static final long ALL_ONES = 1;

  private final long[] words;

  /**
   * A table that says that all bits are zero.
   *
   * @param length 1 to {@value BitmapLimits#MAX_TABLE_LENGTH}
   */
  public BitmapTable(int length) {
    words = new long[length];
  }

  /**
   * Reads a table.
   *
   * @param bytes all of it, from position to limit
   * @param clusterBits the image's cluster size as a power of two
   */
  public static BitmapTable decode(ByteBuffer bytes, int clusterBits) throws BitmapFormatException {
    BitmapTable table = new BitmapTable(bytes.remaining() / ENTRY_SIZE);
    ByteBuffer in = bytes.duplicate();
    for (int i = 0; i < table.words.length; i++) {
      table.words[i] = checked(i, in.getLong(), clusterBits);
    }
    return table;
  }

  private static long checked(int index, long word, int clusterBits) throws BitmapFormatException {
    long offset = word & OFFSET_MASK;
    if ((word & RESERVED_MASK) != 0) {
      throw new BitmapFormatException(
          "bitmap table entry %d is %#x; bits 1 to 8 and 56 to 63 must be 0"
              .formatted(index, word));
    }
    if (offset != 0 && (word & ALL_ONES) != 0) {
      throw new BitmapFormatException(
          "bitmap table entry %d is %#x: both an offset and all ones".formatted(index, word));
    }
    if ((offset & (1L << clusterBits) - 1) != 0) {
      throw new BitmapFormatException(
          "bitmap table entry %d points to %#x, which is no multiple of the cluster size %d"
              .formatted(index, offset, 1L << clusterBits));
    }
    return word;
  }

  /** The number of entries. */
  public int length() {
    return words.length;
  }

  /** Where the bits of entry {@code i} are in the file; 0 if they are all alike. */
  public long dataOffset(int i) {
    return words[i] & OFFSET_MASK;
  }

  /** Whether all bits of entry {@code i} are ones, and so stored nowhere. */
  public boolean isAllOnes(int i) {
    return words[i] == ALL_ONES;
  }

  /** Whether all bits of entry {@code i} are zeroes, and so stored nowhere. */
  public boolean isAllZeroes(int i) {
    return words[i] == 0;
  }

  /**
   * Says where the bits of entry {@code i} are.
   *
   * @param offset cluster-aligned, not 0
   */
  public void setDataOffset(int i, long offset) {
    if (offset == 0 || (offset & ~OFFSET_MASK) != 0) {
      throw new IllegalArgumentException("no cluster offset: " + offset);
    }
    words[i] = offset;
  }

  public void setAllOnes(int i) {
    words[i] = ALL_ONES;
  }

  public void setAllZeroes(int i) {
    words[i] = 0;
  }

  /** The table as it stands on disk. */
  public ByteBuffer encode() {
    ByteBuffer bytes = ByteBuffer.allocate(words.length * ENTRY_SIZE);
    for (long word : words) {
      bytes.putLong(word);
    }
    return bytes.flip();
  }
}
