package dev.cowbell.qcow2.compress;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;

/**
 * Zstandard frames, skippable ones included, until the cluster is full; the last frame has to be
 * whole then, its checksum right if it has one.
 */
final class ZstdDecompressor implements Decompressor {
  private final ZstdDecompressCtx context = new ZstdDecompressCtx();

  @Override
  public void decompress(ByteBuffer packed, ByteBuffer cluster) throws CorruptImageException {
    context.reset();
    boolean whole = false;
    try {
      while (cluster.hasRemaining()) {
        int read = packed.position();
        int filled = cluster.position();
        whole = context.decompressByteBufferStream(cluster, packed);
        if (packed.position() == read && cluster.position() == filled) {
          throw new CorruptImageException(
              "the zstd frames end %d bytes before the cluster does"
                  .formatted(cluster.remaining()));
        }
      }
    } catch (ZstdException e) {
      throw new CorruptImageException("the zstd frame is damaged: " + e.getMessage(), e);
    }
    if (!whole) {
      throw new CorruptImageException("the zstd frame is not whole when the cluster is full");
    }
  }

  @Override
  public void close() {
    context.close();
  }
}
