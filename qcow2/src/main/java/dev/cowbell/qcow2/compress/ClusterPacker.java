package dev.cowbell.qcow2.compress;

import com.github.luben.zstd.EndDirective;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdException;
import dev.cowbell.qcow2.format.CompressionType;
import java.io.Closeable;
import java.nio.ByteBuffer;
import java.util.zip.Deflater;

/**
 * Packs clusters as qcow2 wants them (specification: "Compressed clusters"). Holds native memory;
 * for one thread at a time.
 */
public sealed interface ClusterPacker extends Closeable {

  /**
   * Packs a whole cluster.
   *
   * @param cluster from position to limit; direct
   * @param packed takes the packed form from its position on, up to its limit; direct
   * @return the bytes of the packed form, or -1 if there was not room enough for it; {@code packed}
   *     then holds nothing of value behind its position
   */
  int pack(ByteBuffer cluster, ByteBuffer packed);

  @Override
  void close();

  /** A packer of a type, at the level that QEMU uses. */
  static ClusterPacker of(CompressionType type) {
    return of(type, type == CompressionType.ZLIB ? Deflate.USUAL_LEVEL : Zstd.USUAL_LEVEL);
  }

  /**
   * A packer of a type.
   *
   * @param level how hard it tries: 1 to {@link #maxLevel}
   */
  static ClusterPacker of(CompressionType type, int level) {
    if (level < 1 || level > maxLevel(type)) {
      throw new IllegalArgumentException(
          "level %d is not allowed, but 1 to %d".formatted(level, maxLevel(type)));
    }
    return switch (type) {
      case ZLIB -> new Deflate(level);
      case ZSTD -> new Zstd(level);
    };
  }

  /** The hardest level of a type. */
  static int maxLevel(CompressionType type) {
    return type == CompressionType.ZLIB ? Deflater.BEST_COMPRESSION : Zstd.MAX_LEVEL;
  }

  /** Raw deflate streams. */
  final class Deflate implements ClusterPacker {
    private static final int USUAL_LEVEL = 6;

    private final Deflater deflater;

    private Deflate(int level) {
      deflater = new Deflater(level, true);
    }

    @Override
    public int pack(ByteBuffer cluster, ByteBuffer packed) {
      int start = packed.position();
      deflater.reset();
      deflater.setInput(cluster);
      deflater.finish();
      while (!deflater.finished() && packed.hasRemaining()) {
        deflater.deflate(packed);
      }
      return deflater.finished() ? packed.position() - start : -1;
    }

    @Override
    public void close() {
      deflater.end();
    }
  }

  /** Zstandard frames. */
  final class Zstd implements ClusterPacker {
    private static final int USUAL_LEVEL = 3;
    private static final int MAX_LEVEL = 19;

    private final ZstdCompressCtx compressor = new ZstdCompressCtx();
    private final int level;

    private Zstd(int level) {
      this.level = level;
    }

    @Override
    public int pack(ByteBuffer cluster, ByteBuffer packed) {
      int start = packed.position();
      compressor.reset();
      compressor.setLevel(level);
      compressor.setPledgedSrcSize(cluster.remaining());
      try {
        boolean done = compressor.compressDirectByteBufferStream(packed, cluster, EndDirective.END);
        return done ? packed.position() - start : -1;
      } catch (ZstdException _) {
        return -1;
      }
    }

    @Override
    public void close() {
      compressor.close();
    }
  }
}
