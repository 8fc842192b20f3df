package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.EncryptedImageException;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.crypto.ImageCipher;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.map.MapCursor;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LegacyAesIT {
  @TempDir Path dir;

  @Test
  void images_are_read_as_qemu_reads_them_whatever_the_length_of_the_passphrase() throws Exception {
    for (String passphrase :
        List.of("x", "exactly-16-bytes", "a passphrase of which the rest does not count", "äöü€")) {
      Path image = dir.resolve(passphrase.length() + ".qcow2");
      EncryptedQemu.create(image, passphrase, "aes", "cluster_size=4k", 4 << 20);
      EncryptedQemu.io(
          image,
          passphrase,
          "write -P 1 0 64k",
          "write -P 2 70k 1k",
          "write -P 3 130k 300k",
          "write -z 192k 64k",
          "write -c -P 4 1M 4k",
          "write -P 6 4095k 1k");
      Disks.assertReadsAsQemuDoes(image, passphrase);
    }
  }

  @Test
  void qemu_reads_what_is_encrypted_here() throws Exception {
    Path image = dir.resolve("written.qcow2");
    EncryptedQemu.create(image, "secret", "aes", "", 4 << 20);
    EncryptedQemu.io(image, "secret", "write -P 1 1M 64k");
    long host;
    try (Qcow2Image opened = Disks.open(image, "secret")) {
      MapCursor cursor = opened.clusters().cursor(1 << 20, 1 << 16);
      assertThat(cursor.next()).isTrue();
      host = cursor.hostOffset();
    }
    ByteBuffer cluster = ByteBuffer.allocate(1 << 16);
    while (cluster.hasRemaining()) {
      cluster.put((byte) 0x77);
    }
    try (Passphrase passphrase = Disks.passphrase("secret");
        ImageCipher cipher = ImageCipher.legacyAes(passphrase);
        FileChannel channel = FileChannel.open(image, StandardOpenOption.WRITE)) {
      cipher.encrypt(1 << 20, host, cluster.flip());
      channel.write(cluster, host);
    }
    EncryptedQemu.io(image, "secret", "read -P 0x77 1M 64k");
  }

  @Test
  void without_a_passphrase_it_is_refused_and_a_wrong_one_reads_noise() throws Exception {
    Path image = dir.resolve("noise.qcow2");
    EncryptedQemu.create(image, "secret", "aes", "", 4 << 20);
    EncryptedQemu.io(image, "secret", "write -P 1 0 64k");
    assertThatThrownBy(() -> Qcow2Image.open(image, OpenOptions.strict()))
        .isInstanceOf(EncryptedImageException.class)
        .hasMessage(image + ": the image is encrypted (legacy AES) and no passphrase was given");
    try (Qcow2Image opened = Disks.open(image, "wrong")) {
      ByteBuffer sector = ByteBuffer.allocate(512);
      opened.read(0, sector);
      assertThat(sector.get(100)).isNotEqualTo(sector.get(101));
    }
  }
}
