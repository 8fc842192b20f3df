package dev.cowbell.qcow2.compress;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.CompressionType;
import java.io.Closeable;
import java.nio.ByteBuffer;

/** Unpacks one cluster after another. Holds native memory; for one thread at a time. */
public sealed interface Decompressor extends Closeable
    permits DeflateDecompressor, ZstdDecompressor {

  /**
   * Unpacks a cluster.
   *
   * @param packed from its position on the packed bytes, up to its limit perhaps followed by others
   *     that mean nothing; afterwards its position is undefined
   * @param cluster is filled from its position to its limit: exactly one cluster
   * @throws CorruptImageException if the packed bytes are damaged or don't fill the cluster
   */
  void decompress(ByteBuffer packed, ByteBuffer cluster) throws CorruptImageException;

  @Override
  void close();

  static Decompressor of(CompressionType type) {
    return switch (type) {
      case ZLIB -> new DeflateDecompressor();
      case ZSTD -> new ZstdDecompressor();
    };
  }
}
