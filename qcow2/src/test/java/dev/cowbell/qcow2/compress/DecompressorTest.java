package dev.cowbell.qcow2.compress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.CompressionType;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;

class DecompressorTest {
  private static final int CLUSTER = 1 << 16;

  private static byte[] cluster(int seed) {
    byte[] bytes = new byte[CLUSTER];
    Random random = new Random(seed);
    for (int i = 0; i < CLUSTER; i++) {
      bytes[i] = (byte) (i > 40_000 && i % 3 == 0 ? bytes[i - 32_000] : random.nextInt(20));
    }
    return bytes;
  }

  private static byte[] deflate(byte[] plain, int flush) {
    Deflater deflater = new Deflater(9, true);
    deflater.setInput(plain);
    if (flush == Deflater.NO_FLUSH) {
      deflater.finish();
    }
    byte[] out = new byte[2 * CLUSTER];
    int length = deflater.deflate(out, 0, out.length, flush);
    deflater.end();
    return Arrays.copyOf(out, length);
  }

  private static byte[] checksummed(byte[] plain) {
    try (ZstdCompressCtx context = new ZstdCompressCtx()) {
      return context.setChecksum(true).setContentSize(false).compress(plain);
    }
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }

  private static byte[] skippable(int length) {
    byte[] frame = new byte[8 + length];
    frame[0] = 0x50;
    frame[1] = 0x2a;
    frame[2] = 0x4d;
    frame[3] = 0x18;
    frame[4] = (byte) length;
    return frame;
  }

  private static byte[] unpack(CompressionType type, byte[] packed) throws CorruptImageException {
    byte[] plain = new byte[CLUSTER];
    try (Decompressor decompressor = Decompressor.of(type)) {
      // Twice, to see that nothing of the first time is left in the context.
      decompressor.decompress(ByteBuffer.wrap(packed), ByteBuffer.allocateDirect(CLUSTER));
      ByteBuffer direct = ByteBuffer.allocateDirect(packed.length).put(packed).flip();
      decompressor.decompress(direct, ByteBuffer.wrap(plain));
    }
    return plain;
  }

  private static void rejects(CompressionType type, byte[] packed, String message) {
    assertThatThrownBy(() -> unpack(type, packed))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining(message);
  }

  @Test
  void deflate_may_look_back_32_kib_and_be_followed_by_anything() throws Exception {
    byte[] packed = deflate(cluster(1), Deflater.NO_FLUSH);
    assertThat(unpack(CompressionType.ZLIB, packed)).isEqualTo(cluster(1));
    byte[] followed = join(packed, new byte[300], packed);
    assertThat(unpack(CompressionType.ZLIB, followed)).isEqualTo(cluster(1));
  }

  @Test
  void deflate_may_miss_its_end() throws Exception {
    byte[] packed = deflate(cluster(2), Deflater.SYNC_FLUSH);
    assertThat(unpack(CompressionType.ZLIB, packed)).isEqualTo(cluster(2));
  }

  @Test
  void deflate_that_would_go_on_past_the_cluster_is_cut_as_qemu_does() throws Exception {
    byte[] bomb = deflate(new byte[50 << 20], Deflater.NO_FLUSH);
    assertThat(unpack(CompressionType.ZLIB, bomb)).isEqualTo(new byte[CLUSTER]);
  }

  @Test
  void deflate_that_ends_early_or_is_damaged_is_an_error() {
    byte[] packed = deflate(cluster(3), Deflater.NO_FLUSH);
    rejects(CompressionType.ZLIB, Arrays.copyOf(packed, packed.length / 2), "before the cluster");
    rejects(CompressionType.ZLIB, new byte[0], "65536 bytes before the cluster does");
    rejects(CompressionType.ZLIB, new byte[] {7, 7, 7}, "damaged");
    rejects(CompressionType.ZLIB, deflate(new byte[100], Deflater.NO_FLUSH), "65436 bytes before");
  }

  @Test
  void zstd_may_be_several_frames_and_skippable_ones_followed_by_anything() throws Exception {
    byte[] plain = cluster(4);
    byte[] first = Zstd.compress(Arrays.copyOf(plain, 1000));
    byte[] second = checksummed(Arrays.copyOfRange(plain, 1000, CLUSTER));
    byte[] packed = join(skippable(5), first, skippable(0), second, new byte[] {1, 2, 3, 4});
    assertThat(unpack(CompressionType.ZSTD, packed)).isEqualTo(plain);
  }

  @Test
  void zstd_may_be_an_incompressible_frame_larger_than_the_cluster() throws Exception {
    byte[] plain = new byte[CLUSTER];
    new Random(5).nextBytes(plain);
    byte[] packed = checksummed(plain);
    assertThat(packed.length).isGreaterThan(CLUSTER);
    assertThat(unpack(CompressionType.ZSTD, packed)).isEqualTo(plain);
  }

  @Test
  void zstd_with_a_flipped_bit_under_a_checksum_is_an_error() {
    byte[] plain = new byte[CLUSTER];
    new Random(6).nextBytes(plain);
    byte[] packed = checksummed(plain);
    for (int at = 20; at < packed.length; at += 4001) {
      byte[] flipped = packed.clone();
      flipped[at] ^= 4;
      rejects(CompressionType.ZSTD, flipped, "damaged");
    }
    packed[packed.length - 1] ^= 1;
    rejects(CompressionType.ZSTD, packed, "damaged");
  }

  @Test
  void zstd_that_ends_early_or_late_is_an_error() {
    byte[] packed = checksummed(cluster(7));
    rejects(CompressionType.ZSTD, Arrays.copyOf(packed, packed.length - 2), "not whole");
    rejects(CompressionType.ZSTD, Arrays.copyOf(packed, packed.length / 2), "before the cluster");
    rejects(CompressionType.ZSTD, new byte[0], "before the cluster");
    rejects(CompressionType.ZSTD, checksummed(new byte[CLUSTER + 1]), "not whole");
    rejects(CompressionType.ZSTD, checksummed(new byte[1 << 30 >> 4]), "not whole");
    rejects(CompressionType.ZSTD, Zstd.compress(new byte[100]), "65436 bytes before");
    rejects(CompressionType.ZSTD, new byte[600], "");
  }
}
