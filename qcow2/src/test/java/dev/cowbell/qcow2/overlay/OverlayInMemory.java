package dev.cowbell.qcow2.overlay;

import com.github.luben.zstd.ZstdCompressCtx;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/** An overlay's tables and frames as a test asks for them, in no particular layout. */
final class OverlayInMemory implements OverlayTables {
  private final String name;
  private final long size;
  private final Geometry geometry;
  private final NavigableMap<Long, Long> words = new TreeMap<>();
  private final byte[] object;

  /**
   * @param clusters cluster number to content; empty for a zero cluster
   */
  OverlayInMemory(String name, long size, int clusterBits, Map<Long, Optional<byte[]>> clusters) {
    this.name = name;
    this.size = size;
    this.geometry = new Geometry(clusterBits, false, RefcountWidth.DEFAULT);
    ByteArrayOutputStream frames = new ByteArrayOutputStream();
    frames.writeBytes(new byte[100]);
    try (ZstdCompressCtx zstd = new ZstdCompressCtx()) {
      zstd.setChecksum(true);
      for (Map.Entry<Long, Optional<byte[]>> cluster : clusters.entrySet()) {
        long word = L2Entry.ZERO_PLAIN.word();
        if (cluster.getValue().isPresent()) {
          byte[] frame = zstd.compress(cluster.getValue().get());
          CompressedDescriptor where = new CompressedDescriptor(frames.size(), frame.length);
          word = L2Entry.compressed(where, geometry).word();
          frames.writeBytes(frame);
        }
        words.put(cluster.getKey(), word);
      }
    }
    this.object = frames.toByteArray();
  }

  byte[] object() {
    return object;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public long nextTable(long l1Index) {
    Long cluster = words.ceilingKey(l1Index << geometry.l2Bits());
    return cluster == null ? -1 : cluster >> geometry.l2Bits();
  }

  @Override
  public void readEntries(long firstCluster, int count, long[] dst) {
    for (int i = 0; i < count; i++) {
      dst[i] = words.getOrDefault(firstCluster + i, 0L);
    }
  }

  @Override
  public OverlaySource source() {
    return new OverlaySource() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public long size() {
        return object.length;
      }

      @Override
      public void read(long at, ByteBuffer dst) {
        dst.put(object, (int) at, dst.remaining());
      }
    };
  }
}
