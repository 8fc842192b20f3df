package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code image create} makes the encrypted images that {@code qemu-img create} makes. */
final class EncryptedCreateIT {
  private static final long SIZE = 1 << 20;
  private static final String PASSPHRASE = "geheim";
  private static final List<String> HASHES =
      List.of("sha256", "sha512", "sha1", "sha224", "sha384", "md5");
  private static final List<String> CIPHERS =
      List.of(
          "aes-128,encrypt.cipher-mode=xts",
          "aes-192,encrypt.cipher-mode=xts",
          "aes-256,encrypt.cipher-mode=xts",
          "aes-128,encrypt.cipher-mode=cbc",
          "aes-256,encrypt.cipher-mode=cbc");
  private static final List<String> IVS =
      List.of("plain", "plain64", "essiv,encrypt.ivgen-hash-alg=sha256");

  @TempDir private Path dir;

  /** Every cipher with every IV, each with two hashes, and every hash with five ciphers. */
  static List<String> kinds() {
    List<String> kinds = new ArrayList<>();
    for (String cipher : CIPHERS) {
      for (String iv : IVS) {
        for (int i = 0; i < 2; i++) {
          kinds.add(
              "encrypt.cipher-alg=%s,encrypt.ivgen-alg=%s,encrypt.hash-alg=%s"
                  .formatted(cipher, iv, HASHES.get(kinds.size() % HASHES.size())));
        }
      }
    }
    return kinds;
  }

  @Test
  void images_of_every_cipher_and_hash_are_those_that_qemu_makes() throws Exception {
    Path key = PassphraseFiles.write(dir.resolve("key"), PASSPHRASE);
    for (String kind : kinds()) {
      Path ours = Files.createTempFile(dir, "ours", ".qcow2");
      create(key, ours, kind);
      JsonNode encrypt = QemuImg.info(ours).at("/format-specific/data/encrypt");
      for (String option : kind.split(",", -1)) {
        String[] keyAndValue = option.substring("encrypt.".length()).split("=", 2);
        assertThat(encrypt.path(keyAndValue[0]).asText()).as(kind).isEqualTo(keyAndValue[1]);
      }
      EncryptedQemu.io(ours, PASSPHRASE, "read -P 0 0 1M", "write -P 5 100k 300k");
      EncryptedQemu.checkClean(ours, PASSPHRASE);
      assertThat(
              Cowbell.of(
                  "image", "io", "--passphrase-file", key, "-c", "read -P 5 100k 300k", ours))
          .as(kind)
          .contains("read 307200/307200")
          .doesNotContain("failed");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512,refcount_bits=1",
        "cluster_size=2M,extended_l2=on",
        "extended_l2=on,preallocation=metadata",
        "preallocation=falloc,lazy_refcounts=on",
        "compat=0.10",
        "data_file=DATA",
        "data_file=DATA,data_file_raw=on"
      })
  void other_options_go_with_encryption_as_in_qemu(String options) throws Exception {
    Path key = PassphraseFiles.write(dir.resolve("key"), PASSPHRASE);
    Path ours = dir.resolve("ours.qcow2");
    create(key, ours, options.replace("DATA", dir.resolve("data").toString()));
    Path theirs = dir.resolve("theirs.qcow2");
    QemuImg.create(theirs, options.replace("DATA", dir.resolve("their data").toString()), SIZE);
    EncryptedQemu.checkClean(ours, PASSPHRASE);
    JsonNode info = QemuImg.info(theirs).at("/format-specific/data");
    for (String fact : List.of("compat", "refcount-bits", "extended-l2", "lazy-refcounts")) {
      assertThat(QemuImg.info(ours).at("/format-specific/data").path(fact))
          .isEqualTo(info.path(fact));
    }
    EncryptedQemu.io(ours, PASSPHRASE, "read -P 0 0 1M", "write -P 5 100k 300k");
    EncryptedQemu.checkClean(ours, PASSPHRASE);
    Disks.assertReadsAsQemuDoes(ours, PASSPHRASE);
  }

  private static void create(Path key, Path image, String options) {
    Shell.Result made =
        Cowbell.run(
            "image",
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "encrypt.format=luks,encrypt.iter-time=1," + options,
            "--passphrase-file",
            key,
            image,
            SIZE);
    made.success();
  }
}
