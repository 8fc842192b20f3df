package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.crypto.LuksOptions;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class EncryptedBuildIT {
  private static final int SIZE = 9 << 20;
  private static final byte[] NEEDLE = "the disk's own words".getBytes(StandardCharsets.UTF_8);

  @TempDir Path dir;

  @Test
  void whole_images_made_encrypted_are_clean_and_read_by_qemu_and_by_us() throws Exception {
    byte[] disk = disk();
    for (NewImageOptions options :
        List.of(
            options(9, false, 3),
            options(16, false, 3),
            options(21, false, 3),
            options(16, true, 3),
            options(12, false, 2))) {
      for (String mode : List.of("xts", "cbc")) {
        Path image = dir.resolve("whole.qcow2");
        build(image, disk, options, mode, Optional.empty());
        EncryptedQemu.checkClean(image, "x");
        Path raw = EncryptedQemu.toRaw(image, "x");
        assertThat(Arrays.mismatch(Files.readAllBytes(raw), disk)).isEqualTo(-1);
        Disks.assertReadsAsQemuDoes(image, "x");
        EncryptedQemu.io(image, "x", "write -P 3 100k 500k", "read -P 3 100k 500k");
        EncryptedQemu.checkClean(image, "x");
        assertThat(contains(Files.readAllBytes(image), NEEDLE)).isFalse();
        Files.delete(image);
      }
    }
    assertThat(contains(disk, NEEDLE)).isTrue();
  }

  @Test
  void compressed_clusters_which_are_never_encrypted_are_refused() {
    Supplier<ClusterPacker> packer = () -> ClusterPacker.of(CompressionType.ZLIB);
    byte[] disk = new byte[SIZE];
    Arrays.fill(disk, (byte) 'x');
    assertThatThrownBy(() ->
            build(
                dir.resolve("packed.qcow2"),
                disk,
                options(16, false, 3),
                "xts",
                Optional.of(packer)))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining("in the clear");
  }

  private static void build(
      Path image,
      byte[] disk,
      NewImageOptions options,
      String mode,
      Optional<Supplier<ClusterPacker>> packer)
      throws IOException {
    LuksOptions luks = LuksOptions.parse(Map.of("iter-time", "1", "cipher-mode", mode));
    try (Passphrase passphrase = Disks.passphrase("x");
        NewLuks made = NewLuks.create(luks, passphrase);
        HostFile file = ChannelHostFile.openWritable(Files.createFile(image));
        RawDisk source = RawDisk.adopt(new MemoryHostFile("source", disk))) {
      NewQcow2Image target = new NewQcow2Image(file, source.size(), options, Optional.of(made));
      new DiskCopy(source, target, Optional.empty(), packer, true, 2, bytes -> {}).run();
    }
  }

  private static NewImageOptions options(int clusterBits, boolean extendedL2, int version) {
    return new NewImageOptions(
        version,
        new Geometry(clusterBits, extendedL2, RefcountWidth.DEFAULT),
        CompressionType.ZLIB,
        false,
        Optional.empty(),
        List.of());
  }

  private static byte[] disk() {
    byte[] disk = new byte[SIZE];
    Random random = new Random(8);
    for (int i = 0; i < 20; i++) {
      byte[] run = new byte[1 + random.nextInt(200_000)];
      random.nextBytes(run);
      System.arraycopy(run, 0, disk, random.nextInt(SIZE - run.length), run.length);
    }
    System.arraycopy(NEEDLE, 0, disk, 5_000_000, NEEDLE.length);
    return disk;
  }

  private static boolean contains(byte[] bytes, byte[] needle) {
    return new String(bytes, StandardCharsets.ISO_8859_1)
        .contains(new String(needle, StandardCharsets.ISO_8859_1));
  }
}
