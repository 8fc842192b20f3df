package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.compress.ClusterPacker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** One change that a guest may make to its disk, for QEMU or for us to carry out. */
record GuestChange(Kind kind, int at, int length, int pattern) {
  private static final List<Kind> KINDS = List.of(Kind.values());

  /** What becomes of the range. */
  enum Kind {
    WRITE,
    WRITE_MORE,
    COMPRESS,
    ZERO,
    ZERO_AND_FREE,
    DISCARD
  }

  /** Changes of small and of large ranges that begin and end at multiples of the alignment. */
  static List<GuestChange> random(Random random, int diskSize, int alignment, int count) {
    List<GuestChange> changes = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int at = random.nextInt(diskSize) / alignment * alignment;
      int most = random.nextInt(4) == 0 ? diskSize : Math.max(4096, diskSize / 16);
      int length =
          Math.min(diskSize - at, random.nextInt(most) / alignment * alignment + alignment);
      Kind kind = KINDS.get(random.nextInt(KINDS.size()));
      changes.add(new GuestChange(kind, at, length, 1 + random.nextInt(255)));
    }
    return changes;
  }

  /** For qemu-io, which compresses nothing that would replace something. */
  String command() {
    String range = at + " " + length;
    return switch (kind) {
      case WRITE, WRITE_MORE, COMPRESS -> "write -P " + pattern + " " + range;
      case ZERO -> "write -z " + range;
      case ZERO_AND_FREE -> "write -z -u " + range;
      case DISCARD -> "discard " + range;
    };
  }

  /**
   * Makes the change to an image of ours and to the bytes that it is to show. A discard may leave
   * old bytes, or zeroes, and nothing else.
   *
   * @return the change that was made: compressing takes whole clusters
   */
  GuestChange apply(Qcow2Image image, byte[] content) throws IOException {
    byte[] bytes = new byte[length];
    switch (kind) {
      case WRITE, WRITE_MORE -> {
        Arrays.fill(bytes, (byte) pattern);
        image.write(at, ByteBuffer.wrap(bytes));
      }
      case COMPRESS -> {
        return compress(image, content);
      }
      case ZERO -> image.writeZeroes(at, length, ZeroSpace.KEEP);
      case ZERO_AND_FREE -> image.writeZeroes(at, length, ZeroSpace.MAY_FREE);
      case DISCARD -> {
        image.discard(at, length);
        image.read(at, ByteBuffer.wrap(bytes));
        for (int i = 0; i < length; i++) {
          assertThat(bytes[i] == 0 || bytes[i] == content[at + i]).as("at %d", at + i).isTrue();
        }
      }
    }
    System.arraycopy(bytes, 0, content, at, length);
    return this;
  }

  private GuestChange compress(Qcow2Image image, byte[] content) throws IOException {
    int clusterSize = image.head().header().geometry().clusterSize();
    int from = at / clusterSize * clusterSize;
    int end = Math.min(content.length, Math.ceilDiv(at + length, clusterSize) * clusterSize);
    Arrays.fill(content, from, end, (byte) pattern);
    try (ClusterPacker packer = ClusterPacker.of(image.head().header().compressionType())) {
      ByteBuffer bytes = ByteBuffer.wrap(content, from, end - from);
      if (image.canCompress()) {
        image.writeCompressed(from, bytes, packer);
      } else {
        image.write(from, bytes);
      }
    }
    return new GuestChange(kind, from, end - from, pattern);
  }
}
