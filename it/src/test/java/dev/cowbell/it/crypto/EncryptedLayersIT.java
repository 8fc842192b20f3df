package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An encrypted image over a plain one: committed, rebased, resized. */
final class EncryptedLayersIT {
  private static final int SIZE = 4 << 20;

  @TempDir private Path dir;

  private Path image;
  private Path base;
  private Path passphrase;
  private byte[] before;

  @BeforeEach
  void create() throws IOException {
    base = dir.resolve("base.qcow2");
    image = dir.resolve("image.qcow2");
    passphrase = Files.writeString(dir.resolve("passphrase"), "secret");
    QemuImg.create(base, "cluster_size=4096", SIZE / 2);
    QemuIo.of(base, "write -P 1 0 2M");
    EncryptedQemu.create(
        image,
        "secret",
        "luks",
        "encrypt.iter-time=10,backing_fmt=qcow2,backing_file=" + base,
        SIZE);
    EncryptedQemu.io(image, "secret", "write -P 9 1M 300k", "write -z 0 64k", "write -P 8 3M 5k");
    before = content();
  }

  private byte[] content() throws IOException {
    return Files.readAllBytes(EncryptedQemu.toRaw(image, "secret"));
  }

  @Test
  void commits_into_the_plain_image_below() throws IOException {
    Cowbell.of("image", "commit", "--passphrase-file", passphrase, image);
    EncryptedQemu.checkClean(image, "secret");
    QemuImg.checkClean(base);
    assertThat(Arrays.mismatch(content(), before)).isEqualTo(-1);
    Path raw = dir.resolve("base.raw");
    QemuImg.of("convert", "-f", "qcow2", "-O", "raw", base, raw);
    assertThat(Arrays.mismatch(Files.readAllBytes(raw), before)).isEqualTo(-1);
  }

  @Test
  void takes_over_what_was_below() throws IOException {
    Cowbell.of("image", "rebase", "--passphrase-file", passphrase, "-b", "", image);
    EncryptedQemu.checkClean(image, "secret");
    assertThat(Arrays.mismatch(content(), before)).isEqualTo(-1);
  }

  @Test
  void takes_space_for_what_is_new() throws IOException {
    Cowbell.of(
        "image",
        "resize",
        "--passphrase-file",
        passphrase,
        "--preallocation",
        "falloc",
        image,
        "+1M");
    EncryptedQemu.checkClean(image, "secret");
    assertThat(Arrays.mismatch(content(), Arrays.copyOf(before, SIZE + (1 << 20)))).isEqualTo(-1);
  }

  @Test
  void asks_for_the_passphrase() throws IOException {
    byte[] bytes = Files.readAllBytes(image);
    for (String command : new String[] {"commit", "rebase"}) {
      Shell.Result refused =
          command.equals("commit")
              ? Cowbell.run("image", command, image)
              : Cowbell.run("image", command, "-b", "", image);
      assertThat(refused.exit()).isEqualTo(1);
      assertThat(refused.err()).contains("--passphrase-file");
    }
    assertThat(Files.readAllBytes(image)).isEqualTo(bytes);
  }
}
