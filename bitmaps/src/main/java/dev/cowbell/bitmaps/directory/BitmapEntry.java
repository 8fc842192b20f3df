package dev.cowbell.bitmaps.directory;

import dev.cowbell.bitmaps.DirtyBitmap;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * One entry of the bitmap directory (spec: "Bitmap directory entry").
 *
 * @param tableOffset where the bitmap's table starts in the file
 * @param tableLength the number of its entries, an unsigned 32-bit number
 * @param flags see {@link #IN_USE}, {@link #AUTO} and {@link #EXTRA_DATA_COMPATIBLE}
 * @param type {@link #DIRTY_TRACKING} is the only one there is
 * @param granularityBits the granularity as a power of two
 * @param name as text; see {@link #nameSize()}
 * @param extraDataSize the bytes of extra data that stood behind the entry; QEMU knows none
 */
public record BitmapEntry(
    long tableOffset,
    long tableLength,
    int flags,
    int type,
    int granularityBits,
    String name,
    long extraDataSize) {

  /** Flag: the bitmap was not saved after its last use; its content can't be relied on. */
  public static final int IN_USE = 1;

  /** Flag: the bitmap records writes (QEMU calls it enabled, or recording). */
  public static final int AUTO = 2;

  /** Flag: the bitmap may be used by a program that does not know its extra data. */
  public static final int EXTRA_DATA_COMPATIBLE = 4;

  /** The type of a dirty-tracking bitmap. */
  public static final int DIRTY_TRACKING = 1;

  /** The bytes of an entry in front of its extra data and name. */
  static final int HEAD_SIZE = 24;

  /** An entry for a bitmap that is whole and not in use. */
  public static BitmapEntry valid(
      String name, int granularityBits, boolean enabled, long tableOffset, int tableLength) {
    int flags = enabled ? AUTO : 0;
    return new BitmapEntry(
        tableOffset, tableLength, flags, DIRTY_TRACKING, granularityBits, name, 0);
  }

  public boolean inUse() {
    return (flags & IN_USE) != 0;
  }

  public boolean enabled() {
    return (flags & AUTO) != 0;
  }

  public long granularity() {
    return 1L << granularityBits;
  }

  /** The same bitmap with one flag set or clear. */
  public BitmapEntry withFlag(int flag, boolean on) {
    return new BitmapEntry(
        tableOffset,
        tableLength,
        on ? flags | flag : flags & ~flag,
        type,
        granularityBits,
        name,
        extraDataSize);
  }

  /** The same bitmap with another table. */
  public BitmapEntry withTable(long offset, int length) {
    return new BitmapEntry(offset, length, flags, type, granularityBits, name, extraDataSize);
  }

  /** The bytes of the name on disk. */
  public int nameSize() {
    return BitmapName.encode(name).length;
  }

  /** The bytes of the entry on disk, padding included. */
  int encodedSize() {
    return HEAD_SIZE + nameSize() + 7 & -8;
  }

  void encode(ByteBuffer dst) {
    if (extraDataSize != 0) {
      throw new IllegalStateException("the extra data of bitmap '" + name + "' was not kept");
    }
    int end = dst.position() + encodedSize();
    byte[] bytes = BitmapName.encode(name);
    dst.putLong(tableOffset)
        .putInt((int) tableLength)
        .putInt(flags)
        .put((byte) type)
        .put((byte) granularityBits)
        .putShort((short) bytes.length)
        .putInt(0)
        .put(bytes);
    while (dst.position() < end) {
      dst.put((byte) 0);
    }
  }

  /**
   * Checks the entry against QEMU's rules.
   *
   * @param diskSize in bytes
   * @param clusterBits the image's cluster size as a power of two
   */
  void check(long diskSize, int clusterBits) throws BitmapFormatException {
    String problem = problem();
    if (problem == null) {
      problem = tableProblem(diskSize, clusterBits);
    }
    if (problem != null) {
      throw new BitmapFormatException("bitmap '" + name + "' " + problem);
    }
  }

  private @Nullable String problem() {
    if (extraDataSize != 0) {
      return "has %d bytes of extra data; none is supported".formatted(extraDataSize);
    }
    if ((flags & ~(IN_USE | AUTO)) != 0) {
      return "has flags %#x; only bits 0 and 1 are supported".formatted(flags);
    }
    if (type != DIRTY_TRACKING) {
      return "has type %d; only %d, dirty tracking, is supported".formatted(type, DIRTY_TRACKING);
    }
    if (granularityBits < DirtyBitmap.MIN_GRANULARITY_BITS
        || granularityBits > DirtyBitmap.MAX_GRANULARITY_BITS) {
      return "has granularity 2^%d; 2^9 to 2^31 bytes are allowed".formatted(granularityBits);
    }
    if (nameSize() > BitmapLimits.MAX_NAME_SIZE) {
      return "has a name of %d bytes; at most %d are allowed"
          .formatted(nameSize(), BitmapLimits.MAX_NAME_SIZE);
    }
    return null;
  }

  private @Nullable String tableProblem(long diskSize, int clusterBits) {
    if (tableOffset <= 0 || (tableOffset & (1L << clusterBits) - 1) != 0) {
      return "has its table at %#x, which is no positive multiple of the cluster size"
          .formatted(tableOffset);
    }
    if (tableLength <= 0 || tableLength > BitmapLimits.MAX_TABLE_LENGTH) {
      return "has a table of %d entries; 1 to %d are allowed"
          .formatted(tableLength, BitmapLimits.MAX_TABLE_LENGTH);
    }
    if (tableLength << clusterBits > BitmapLimits.MAX_DATA_SIZE) {
      return "has room for %d bytes of bits; at most %d are allowed"
          .formatted(tableLength << clusterBits, BitmapLimits.MAX_DATA_SIZE);
    }
    if (tableOffset > Long.MAX_VALUE - BitmapTable.ENTRY_SIZE * tableLength) {
      return "has its table at %#x, which ends behind any file".formatted(tableOffset);
    }
    long needed = SerializedBitmap.tableLength(diskSize, granularityBits, clusterBits);
    // An in-use bitmap's table may be from before a resize; it is not read.
    if (!inUse() && tableLength != needed) {
      return "has a table of %d entries; a disk of %d bytes needs exactly %d"
          .formatted(tableLength, diskSize, needed);
    }
    return null;
  }
}
