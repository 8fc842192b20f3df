package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Vouches for a block of an overlay's metadata.
 *
 * @param offset its first byte in the object
 * @param length its bytes, 1 to {@link #maxLength}
 * @param kind what it holds
 * @param digest of its bytes
 */
record Seal(long offset, int length, Kind kind, Sha256 digest) {

  /** What a block of metadata holds; only ever one kind. */
  enum Kind {
    L2_TABLES(1),
    REFCOUNT_BLOCKS(2),
    REFCOUNT_TABLE(3),
    L1_TABLE(4);

    private final int code;

    Kind(int code) {
      this.code = code;
    }

    static @Nullable Kind of(int code) {
      for (Kind kind : values()) {
        if (kind.code == code) {
          return kind;
        }
      }
      return null;
    }
  }

  /** The bytes of an encoded seal. */
  static final int LENGTH = 8 + 4 + 4 + Sha256.LENGTH;

  /**
   * The length of blocks, short enough that a reader can hold one of each overlay of a chain, and
   * long enough that a request for it is worth its latency.
   */
  private static final int BLOCK = 256 << 10;

  /** The longest that a block may be: {@code BLOCK} or, if that is longer, a cluster. */
  static int maxLength(int clusterSize) {
    return Math.max(BLOCK, clusterSize);
  }

  /** The first byte behind the block. */
  long end() {
    return offset + length;
  }

  /**
   * Takes a seal out of a table and checks all of it but its place.
   *
   * @param index its number, for messages
   */
  static Seal decode(ByteBuffer from, int index, int clusterSize) throws CorruptImageException {
    long offset = from.getLong();
    int length = from.getInt();
    int code = from.getInt();
    Kind kind = Kind.of(code);
    Sha256 digest = Sha256.take(from);
    if (kind == null) {
      throw new CorruptImageException("seal %d is of unknown kind %d".formatted(index, code));
    }
    if (length < 1 || length > maxLength(clusterSize) || (length & (clusterSize - 1)) != 0) {
      throw new CorruptImageException(
          "seal %d is for %d bytes, allowed are multiples of %d up to %d"
              .formatted(index, length, clusterSize, maxLength(clusterSize)));
    }
    if (offset < 0 || (offset & (clusterSize - 1)) != 0) {
      throw new CorruptImageException(
          "seal %d is for offset %d, which is not aligned to clusters of %d bytes"
              .formatted(index, offset, clusterSize));
    }
    return new Seal(offset, length, kind, digest);
  }

  void encode(ByteBuffer to) {
    to.putLong(offset).putInt(length).putInt(kind.code).put(digest.bytes().buffer());
  }
}
