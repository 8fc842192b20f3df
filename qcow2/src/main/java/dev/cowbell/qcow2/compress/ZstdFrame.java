package dev.cowbell.qcow2.compress;

import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** What the headers in a zstd frame say (RFC 8878, sections 3.1.1 and 3.1.1.2). */
public final class ZstdFrame {
  private static final int MAGIC_NUMBER = 0xfd2fb528;
  private static final int DESCRIPTOR_AT = 4;
  private static final int FIELDS_AT = 5;

  private static final int SINGLE_SEGMENT = 1 << 5;
  private static final int RESERVED = 1 << 3;
  private static final int CONTENT_CHECKSUM = 1 << 2;
  private static final int DICTIONARY_ID = 3;

  private static final int BLOCK_HEADER = 3;
  private static final int RLE_BLOCK = 1;
  private static final int RESERVED_BLOCK = 3;
  private static final int CHECKSUM = 4;

  private ZstdFrame() {}

  /**
   * Finds out how long a frame is and that it promises what an overlay's frames have to: exactly
   * one cluster of content, and a checksum of it.
   *
   * @param at the frame's first byte
   * @param limit the first byte that can't belong to the frame any more
   * @return the frame's length in bytes, at most {@code limit - at}
   * @throws CorruptImageException if it is no such frame
   */
  public static int length(ByteBuffer buffer, int at, int limit, int clusterSize)
      throws CorruptImageException {
    ByteBuffer bytes = buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN).limit(limit);
    try {
      int blocks = at + FIELDS_AT + checkHeader(bytes, at, clusterSize);
      return endOfBlocks(bytes, blocks) + CHECKSUM - at;
    } catch (IndexOutOfBoundsException e) {
      throw new CorruptImageException(
          "the zstd frame does not end within its " + (limit - at) + " bytes", e);
    }
  }

  /** Returns the length of the fields between descriptor and first block. */
  private static int checkHeader(ByteBuffer bytes, int at, int clusterSize)
      throws CorruptImageException {
    if (bytes.getInt(at) != MAGIC_NUMBER) {
      throw new CorruptImageException("there is no zstd frame");
    }
    int descriptor = bytes.get(at + DESCRIPTOR_AT) & 0xff;
    if ((descriptor & (CONTENT_CHECKSUM | RESERVED | DICTIONARY_ID)) != CONTENT_CHECKSUM) {
      throw new CorruptImageException(
          "the zstd frame has descriptor %#04x, needed is one with a checksum only"
              .formatted(descriptor));
    }
    boolean single = (descriptor & SINGLE_SEGMENT) != 0;
    int fields = at + FIELDS_AT + (single ? 0 : 1);
    int sizeFlag = descriptor >>> 6;
    long content =
        switch (sizeFlag) {
          case 0 -> single ? bytes.get(fields) & 0xff : -1;
          case 1 -> (bytes.getShort(fields) & 0xffff) + 256;
          case 2 -> bytes.getInt(fields) & 0xffff_ffffL;
          default -> bytes.getLong(fields);
        };
    if (content != clusterSize) {
      throw new CorruptImageException(
          "the zstd frame says it holds %d bytes, a cluster has %d"
              .formatted(content, clusterSize));
    }
    int sizeBytes = sizeFlag == 0 ? 1 : 1 << sizeFlag;
    return sizeBytes + (single ? 0 : 1);
  }

  private static int endOfBlocks(ByteBuffer bytes, int first) throws CorruptImageException {
    int at = first;
    while (true) {
      int header = (bytes.getShort(at) & 0xffff) | ((bytes.get(at + 2) & 0xff) << 16);
      int type = header >>> 1 & 3;
      if (type == RESERVED_BLOCK) {
        throw new CorruptImageException("the zstd frame has a block of a reserved type");
      }
      at += BLOCK_HEADER + (type == RLE_BLOCK ? 1 : header >>> 3);
      if (at > bytes.limit() - CHECKSUM) {
        throw new IndexOutOfBoundsException(at);
      }
      if ((header & 1) != 0) {
        return at;
      }
    }
  }
}
