package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.crypto.Passphrases;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

/** Our reading of encrypted images, held against bytes. */
final class Disks {
  private Disks() {}

  static Passphrase passphrase(String text) {
    return Passphrase.adopt(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Opens an image, following references, with one passphrase. */
  static Qcow2Image open(Path image, String passphrase) throws IOException {
    try (Passphrase opened = passphrase(passphrase)) {
      return Qcow2Image.open(
          image, OpenOptions.following().withPassphrases(Passphrases.of(opened)));
    }
  }

  /** Fails unless an image reads as QEMU reads it: whole, and from any byte to any other. */
  static void assertReadsAsQemuDoes(Path image, String passphrase) throws IOException {
    Path raw = EncryptedQemu.toRaw(image, passphrase);
    byte[] expected = Files.readAllBytes(raw);
    try (Qcow2Image opened = open(image, passphrase)) {
      assertReads(opened, expected);
    }
    Files.delete(raw);
  }

  static void assertReads(GuestDisk disk, byte[] expected) throws IOException {
    assertThat(disk.size()).isEqualTo(expected.length);
    ByteBuffer whole = ByteBuffer.allocate(expected.length);
    disk.read(0, whole);
    assertThat(Arrays.mismatch(whole.array(), expected)).as("first difference").isEqualTo(-1);
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < 50; i++) {
      int length = 1 + random.nextInt(i % 2 == 0 ? 2000 : 150_000);
      int at = random.nextInt(expected.length - length);
      ByteBuffer part =
          i % 3 == 0 ? ByteBuffer.allocateDirect(length) : ByteBuffer.allocate(length);
      disk.read(at, part);
      assertThat(part.flip())
          .as("seed %d, %d bytes at %d", seed, length, at)
          .isEqualTo(ByteBuffer.wrap(expected, at, length));
    }
  }
}
