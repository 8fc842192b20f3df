package dev.cowbell.qcow2.format;

import java.nio.ByteBuffer;

/**
 * How wide a refcount is (specification: "Host cluster management"). Refcounts narrower than a byte
 * fill each byte from its lowest bits up; wider ones are big-endian.
 *
 * @param order the binary logarithm of the width in bits, 0 to 6
 */
public record RefcountWidth(int order) {
  public static final int MAX_ORDER = 6;

  /** 16 bits: the only width of version 2 images, and the default of version 3. */
  public static final RefcountWidth DEFAULT = new RefcountWidth(4);

  public RefcountWidth {
    if (order < 0 || order > MAX_ORDER) {
      throw new IllegalArgumentException("refcount_order is " + order + ", allowed are 0 to 6");
    }
  }

  /** Bits per refcount: 1 to 64. */
  public int bits() {
    return 1 << order;
  }

  /** The greatest refcount; QEMU never counts beyond 2^63 - 1. */
  public long max() {
    return bits() == 64 ? Long.MAX_VALUE : (1L << bits()) - 1;
  }

  /** How many refcounts a block of so many bytes holds. */
  public int perBlock(int blockSize) {
    return (int) (((long) blockSize * 8) >> order);
  }

  /**
   * The refcount at an index of a block that starts at index 0 of a buffer; a 64-bit one above 2^63
   * - 1 comes out negative.
   */
  public long get(ByteBuffer block, int index) {
    return switch (order) {
      case 3 -> Byte.toUnsignedLong(block.get(index));
      case 4 -> Short.toUnsignedLong(block.getShort(index * 2));
      case 5 -> Integer.toUnsignedLong(block.getInt(index * 4));
      case 6 -> block.getLong(index * 8);
      default -> (block.get(byteOf(index)) >>> shiftOf(index)) & max();
    };
  }

  /** Sets the refcount at an index of a block that starts at index 0 of a buffer. */
  public void set(ByteBuffer block, int index, long value) {
    if (value < 0 || value > max()) {
      throw new IllegalArgumentException("refcount " + value + ", allowed are 0 to " + max());
    }
    switch (order) {
      case 3 -> block.put(index, (byte) value);
      case 4 -> block.putShort(index * 2, (short) value);
      case 5 -> block.putInt(index * 4, (int) value);
      case 6 -> block.putLong(index * 8, value);
      default -> {
        int kept = block.get(byteOf(index)) & ~((int) max() << shiftOf(index));
        block.put(byteOf(index), (byte) (kept | ((int) value << shiftOf(index))));
      }
    }
  }

  private int byteOf(int index) {
    return index >> (3 - order);
  }

  private int shiftOf(int index) {
    return (index & ((1 << (3 - order)) - 1)) << order;
  }
}
