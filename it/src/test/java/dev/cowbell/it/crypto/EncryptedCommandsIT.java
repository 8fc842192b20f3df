package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The image commands read encrypted images, and convert makes them. */
final class EncryptedCommandsIT {
  private static final long SIZE = 4 << 20;
  private static final String PASSPHRASE = "geheim";

  @TempDir private Path dir;
  private Path key;

  @BeforeEach
  void writeThePassphrase() throws IOException {
    key = passphraseFile("key", PASSPHRASE);
  }

  private Path passphraseFile(String name, String content) throws IOException {
    return PassphraseFiles.write(dir.resolve(name), content);
  }

  @Test
  void converted_images_of_every_kind_open_in_qemu() throws IOException {
    Path source = dir.resolve("source.qcow2");
    QemuImg.create(source, "", SIZE);
    QemuIo.of(source, "write -P 1 100k 1M", "write -P 2 3M 5k", "write -z 2M 64k");
    Path raw = dir.resolve("source.raw");
    QemuImg.of("convert", "-f", "qcow2", "-O", "raw", source, raw);
    int made = 0;
    for (String cipher : new String[] {"aes-128", "aes-192", "aes-256"}) {
      for (String mode : new String[] {"xts", "cbc"}) {
        for (String iv : new String[] {"plain64", "essiv"}) {
          for (String hash : new String[] {"sha1", "sha256", "sha512"}) {
            if (cipher.equals("aes-192") && mode.equals("cbc")) {
              continue; // QEMU aborts on it
            }
            Path image = dir.resolve("luks.qcow2");
            String options =
                "encrypt.format=luks,encrypt.cipher-alg=%s,encrypt.cipher-mode=%s,encrypt.ivgen-alg=%s,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=%s,encrypt.iter-time=1"
                    .formatted(cipher, mode, iv, hash);
            Cowbell.of(
                "image",
                "convert",
                "-O",
                "qcow2",
                "--target-passphrase-file",
                key,
                "-o",
                options,
                source,
                image);
            EncryptedQemu.checkClean(image, PASSPHRASE);
            assertThat(Files.mismatch(EncryptedQemu.toRaw(image, PASSPHRASE), raw))
                .as(options)
                .isEqualTo(-1);
            JsonNode encrypt = QemuImg.info(image).at("/format-specific/data/encrypt");
            assertThat(encrypt.get("cipher-alg").asText()).isEqualTo(cipher);
            assertThat(encrypt.get("hash-alg").asText()).isEqualTo(hash);
            assertThat(
                    Cowbell.of("image", "compare", "--second-passphrase-file", key, source, image))
                .contains("identical");
            made++;
          }
        }
      }
    }
    assertThat(made).isEqualTo(30);
  }

  @Test
  void an_encrypted_image_is_converted_to_plain_and_to_encrypted_ones() throws IOException {
    Path source = dir.resolve("source.qcow2");
    EncryptedQemu.create(source, PASSPHRASE, "luks", "encrypt.iter-time=10", SIZE);
    EncryptedQemu.io(source, PASSPHRASE, "write -P 1 100k 1M", "write -P 2 3M 5k");
    Path expected = EncryptedQemu.toRaw(source, PASSPHRASE);
    Path raw = dir.resolve("ours.raw");
    Cowbell.of("image", "convert", "--passphrase-file", key, source, raw);
    assertThat(Files.mismatch(raw, expected)).isEqualTo(-1);

    Path other = passphraseFile("other", "anderes");
    Path target = dir.resolve("target.qcow2");
    Cowbell.of(
        "image",
        "convert",
        "-O",
        "qcow2",
        "--passphrase-file",
        key,
        "--target-passphrase-file",
        other,
        "-o",
        "encrypt.format=luks,encrypt.iter-time=10",
        "-o",
        "cluster_size=4k",
        source,
        target);
    EncryptedQemu.checkClean(target, "anderes");
    assertThat(Files.mismatch(EncryptedQemu.toRaw(target, "anderes"), expected)).isEqualTo(-1);
    assertThat(
            Cowbell.of(
                "image",
                "compare",
                "--passphrase-file",
                key,
                "--second-passphrase-file",
                other,
                source,
                target))
        .contains("identical");
    assertThat(Cowbell.of("image", "map", "--json", "--passphrase-file", other, target))
        .contains("\"start\"");
    assertThat(Cowbell.of("image", "check", "--passphrase-file", key, target))
        .contains("No errors");

    Path top = dir.resolve("top.qcow2");
    QemuImg.of(
        "create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", target, top, Long.toString(SIZE));
    Path flat = dir.resolve("flat.raw");
    Cowbell.of("image", "convert", "--backing-passphrase-file", other, top, flat);
    assertThat(Files.mismatch(flat, expected)).isEqualTo(-1);
  }

  @Test
  void only_what_differs_from_an_encrypted_backing_file_is_written() throws IOException {
    Path base = dir.resolve("base.qcow2");
    EncryptedQemu.create(base, PASSPHRASE, "luks", "encrypt.iter-time=10", SIZE);
    EncryptedQemu.io(base, PASSPHRASE, "write -P 1 0 2M");
    Path source = dir.resolve("source.qcow2");
    QemuImg.create(source, "", SIZE);
    QemuIo.of(source, "write -P 1 0 2M", "write -P 2 64k 64k");
    Path target = dir.resolve("target.qcow2");
    Cowbell.of(
        "image",
        "convert",
        "-O",
        "qcow2",
        "-B",
        base,
        "-F",
        "qcow2",
        "--target-backing-passphrase-file",
        key,
        source,
        target);
    assertThat(Files.size(target)).isLessThan(1 << 20);
    assertThat(
            Cowbell.of(
                "image",
                "compare",
                "--second-passphrase-file",
                key,
                "--backing-passphrase-file",
                key,
                source,
                target))
        .contains("identical");
  }

  @Test
  void what_is_missing_or_wrong_is_one_line() throws IOException {
    Path source = dir.resolve("source.qcow2");
    EncryptedQemu.create(source, PASSPHRASE, "luks", "encrypt.iter-time=10", SIZE);
    Path wrong = passphraseFile("wrong", "falsch");
    Path target = dir.resolve("target.qcow2");
    assertFails(1, "--passphrase-file", "image", "convert", source, target);
    assertFails(1, "opens none", "image", "convert", "--passphrase-file", wrong, source, target);
    assertFails(1, "opens none", "image", "map", "--passphrase-file", wrong, source);
    assertFails(
        2,
        "--target-passphrase-file",
        "image",
        "convert",
        "-O",
        "qcow2",
        "--passphrase-file",
        key,
        "-o",
        "encrypt.format=luks",
        source,
        target);
    assertFails(
        2,
        "encrypt.format=luks",
        "image",
        "convert",
        "-O",
        "qcow2",
        "--passphrase-file",
        key,
        "--target-passphrase-file",
        key,
        source,
        target);
    assertFails(
        2,
        "in the clear",
        "image",
        "convert",
        "-c",
        "-O",
        "qcow2",
        "--passphrase-file",
        key,
        "--target-passphrase-file",
        key,
        "-o",
        "encrypt.format=luks",
        source,
        target);
    assertFails(
        2,
        "aes-128, aes-192, aes-256",
        "image",
        "convert",
        "-O",
        "qcow2",
        "--passphrase-file",
        key,
        "--target-passphrase-file",
        key,
        "-o",
        "encrypt.format=luks,encrypt.cipher-alg=rot13",
        source,
        target);
    assertThat(target).doesNotExist();
  }

  private static void assertFails(int exit, String says, Object... command) {
    Shell.Result result = Cowbell.run(command);
    assertThat(result.exit()).as(result.toString()).isEqualTo(exit);
    assertThat(result.err().strip().lines()).as(result.toString()).hasSize(1);
    assertThat(result.err()).contains(says);
  }
}
