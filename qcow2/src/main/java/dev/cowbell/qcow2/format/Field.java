package dev.cowbell.qcow2.format;

import java.nio.ByteBuffer;

/**
 * One unsigned big-endian field of an on-disk structure: the only place where its offset stands.
 *
 * @param name the specification's name
 * @param offset bytes from the structure's first byte
 * @param width bytes: 1, 2, 4 or 8
 */
public record Field(String name, int offset, int width) {

  public static Field u8(String name, int offset) {
    return new Field(name, offset, 1);
  }

  public static Field u16(String name, int offset) {
    return new Field(name, offset, 2);
  }

  public static Field u32(String name, int offset) {
    return new Field(name, offset, 4);
  }

  public static Field u64(String name, int offset) {
    return new Field(name, offset, 8);
  }

  /** The first byte behind the field. */
  public int end() {
    return offset + width;
  }

  /**
   * The field's value in a structure that starts at index 0 of a buffer. A 64-bit value above 2^63
   * - 1 comes out negative.
   */
  public long get(ByteBuffer structure) {
    return switch (width) {
      case 1 -> Byte.toUnsignedLong(structure.get(offset));
      case 2 -> Short.toUnsignedLong(structure.getShort(offset));
      case 4 -> Integer.toUnsignedLong(structure.getInt(offset));
      default -> structure.getLong(offset);
    };
  }

  /** Puts the value into a structure that starts at index 0 of a buffer. */
  public void put(ByteBuffer structure, long value) {
    if (width < 8 && value >>> (8 * width) != 0) {
      throw new IllegalArgumentException(name + " is " + value + ", more than " + width + " bytes");
    }
    switch (width) {
      case 1 -> structure.put(offset, (byte) value);
      case 2 -> structure.putShort(offset, (short) value);
      case 4 -> structure.putInt(offset, (int) value);
      default -> structure.putLong(offset, value);
    }
  }
}
