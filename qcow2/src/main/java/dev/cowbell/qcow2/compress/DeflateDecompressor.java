package dev.cowbell.qcow2.compress;

import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Raw deflate with a window of up to 32 KiB. As with QEMU a stream counts as whole when it has
 * filled the cluster, whether or not it says that it ends there.
 */
final class DeflateDecompressor implements Decompressor {
  private final Inflater inflater = new Inflater(true);

  @Override
  public void decompress(ByteBuffer packed, ByteBuffer cluster) throws CorruptImageException {
    inflater.reset();
    inflater.setInput(packed);
    try {
      while (cluster.hasRemaining()) {
        if (inflater.inflate(cluster) == 0) {
          throw new CorruptImageException(
              "the deflate stream ends %d bytes before the cluster does"
                  .formatted(cluster.remaining()));
        }
      }
    } catch (DataFormatException e) {
      throw new CorruptImageException("the deflate stream is damaged: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    inflater.end();
  }
}
