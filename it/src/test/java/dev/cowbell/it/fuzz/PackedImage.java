package dev.cowbell.it.fuzz;

import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.nio.ByteBuffer;
import java.util.List;

/** The smallest image whose first guest cluster is a given compressed one. */
final class PackedImage {

  /** More than the longest that a compressed cluster of these sizes may be. */
  static final int MAX_PAYLOAD = 60_000;

  private static final int CHOICE_OF_CODEC = 1;
  private static final int CHOICE_OF_SIZE = 2;

  private PackedImage() {}

  /**
   * Makes the image.
   *
   * @param input a byte that chooses codec and cluster size, then the packed cluster
   */
  static byte[] around(byte[] input) {
    CompressionType type =
        (input[0] & CHOICE_OF_CODEC) == 0 ? CompressionType.ZLIB : CompressionType.ZSTD;
    int bits = (input[0] & CHOICE_OF_SIZE) == 0 ? 12 : 16;
    Geometry geometry = new Geometry(bits, false, RefcountWidth.DEFAULT);
    int cluster = geometry.clusterSize();
    int length = Math.min(input.length - 1, cluster);
    ByteBuffer image = ByteBuffer.allocate(4 * cluster + length);
    HeaderBuilder header =
        new HeaderBuilder()
            .clusterBits(bits)
            .size(cluster)
            .compressionType(type)
            .refcountTable(cluster, 1)
            .l1Table(2L * cluster, 1);
    if (type == CompressionType.ZSTD) {
      header.features(FeatureBits.NONE.with(Feature.COMPRESSION_TYPE));
    }
    image.put(new ImageHead(header.build(), List.of(), Bytes.EMPTY).encode());
    image.putLong(2 * cluster, L1Entry.of(3L * cluster, true).word());
    image.putLong(
        3 * cluster,
        L2Entry.compressed(new CompressedDescriptor(4L * cluster, length), geometry).word());
    image.put(4 * cluster, input, 1, length);
    return image.array();
  }
}
