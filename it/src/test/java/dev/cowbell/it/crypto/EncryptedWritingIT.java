package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.crypto.Passphrases;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Encrypted images that QEMU made, written by us at any byte, read by QEMU, and written by it. */
class EncryptedWritingIT {
  private static final int SIZE = 9 << 20;

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({"luks, 65536", "luks, 512", "luks, 2097152", "aes, 65536", "aes, 512"})
  void qemu_reads_what_was_written(String format, int clusterSize) throws Exception {
    Random random = new Random(Long.getLong("cowbell.seed", 7));
    Path image = folder.resolve("image.qcow2");
    String options = format.equals("luks") ? "encrypt.iter-time=10," : "";
    EncryptedQemu.create(image, "secret", format, options + "cluster_size=" + clusterSize, SIZE);
    EncryptedQemu.io(image, "secret", "write -P 9 0 1M", "write -P 8 3M 200k");
    byte[] expected = Files.readAllBytes(EncryptedQemu.toRaw(image, "secret"));
    try (Passphrase passphrase = Disks.passphrase("secret");
        Qcow2Image opened =
            Qcow2Image.open(
                image,
                OpenOptions.following()
                    .withAccess(Access.READ_WRITE)
                    .withPassphrases(Passphrases.of(passphrase)))) {
      for (int i = 0; i < 60; i++) {
        int at = random.nextInt(SIZE);
        int most = random.nextInt(3) == 0 ? 3 << 20 : 100_000;
        byte[] bytes = new byte[Math.min(SIZE - at, 1 + random.nextInt(most))];
        if (i % 10 == 0) {
          // every cluster is shared now, and copied whole for a few bytes
          opened.createSnapshot(NewSnapshot.named("at " + i, Instant.EPOCH));
          bytes = new byte[1 + random.nextInt(Math.min(SIZE - at, 600))];
        }
        if (random.nextInt(4) == 0) {
          opened.writeZeroes(at, bytes.length, ZeroSpace.MAY_FREE);
        } else {
          Arrays.fill(bytes, (byte) (1 + i));
          opened.write(at, ByteBuffer.wrap(bytes));
        }
        System.arraycopy(bytes, 0, expected, at, bytes.length);
      }
      byte[] shown = new byte[SIZE];
      opened.read(0, ByteBuffer.wrap(shown));
      assertThat(Arrays.mismatch(shown, expected)).isEqualTo(-1);
    }
    EncryptedQemu.checkClean(image, "secret");
    byte[] raw = Files.readAllBytes(EncryptedQemu.toRaw(image, "secret"));
    assertThat(Arrays.mismatch(raw, expected)).isEqualTo(-1);
    // In our clusters, some of them in part, and in new ones.
    EncryptedQemu.io(image, "secret", "write -P 66 100k 70000", "write -P 67 2M 1M", "flush");
    EncryptedQemu.checkClean(image, "secret");
    Arrays.fill(expected, 100 << 10, (100 << 10) + 70000, (byte) 66);
    Arrays.fill(expected, 2 << 20, 3 << 20, (byte) 67);
    try (Qcow2Image opened = Disks.open(image, "secret")) {
      byte[] shown = new byte[SIZE];
      opened.read(0, ByteBuffer.wrap(shown));
      assertThat(Arrays.mismatch(shown, expected)).isEqualTo(-1);
    }
  }
}
