package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Encrypted images are backed up when plain storage is accepted, and come back encrypted. */
final class EncryptedBackupIT {
  private static final long SIZE = 8 << 20;
  private static final String PASSPHRASE = "geheim";

  @TempDir private Path dir;
  private Path image;
  private Path passphraseFile;
  private String repository;

  @BeforeEach
  void makeAnImageAndARepository() throws IOException {
    image = dir.resolve("vda.qcow2");
    passphraseFile = passphraseFile("passphrase", PASSPHRASE);
    repository = dir.resolve("repository").toString();
    Cowbell.of("init", "--repo", repository);
  }

  private Path passphraseFile(String name, String content) throws IOException {
    Path file = dir.resolve(name);
    Files.createFile(
        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    return Files.writeString(file, content);
  }

  private void makeLuks(String options) {
    EncryptedQemu.create(image, PASSPHRASE, "luks", "encrypt.iter-time=10" + options, SIZE);
    EncryptedQemu.io(
        image, PASSPHRASE, "write -P 1 0 3M", "write -P 2 5000k 77k", "write -z 1M 64k");
  }

  private Shell.Result backup(Object... options) {
    return run("backup", options, "--json", image);
  }

  private Shell.Result restore(Path to, Object... options) {
    return run("restore", options, "--to", to);
  }

  private Shell.Result run(String command, Object[] options, Object... more) {
    List<Object> words = new ArrayList<>(List.of(command, "--repo", repository, "--vm", "web"));
    words.addAll(List.of(options));
    words.addAll(List.of(more));
    return Cowbell.run(words.toArray());
  }

  private JsonNode backedUp() {
    Shell.Result result = backup("--passphrase-file", passphraseFile, "--store-decrypted");
    assertThat(result.err()).isEmpty();
    return QemuImg.json(result.success());
  }

  private static void assertOneLine(Shell.Result result, int exit, String... parts) {
    assertThat(result.exit()).as(result.toString()).isEqualTo(exit);
    assertThat(result.out()).isEmpty();
    assertThat(result.err().strip().lines()).as(result.toString()).hasSize(1);
    assertThat(result.err()).contains(parts).doesNotContain(PASSPHRASE);
  }

  @Test
  void nothing_is_stored_in_the_clear_that_was_not_accepted() {
    makeLuks("");
    assertOneLine(backup(), 2, "encrypted (LUKS)", "--passphrase-file", "--store-decrypted");
    assertOneLine(backup("--store-decrypted"), 2, "no passphrase was given", "--passphrase-file");
    assertOneLine(
        backup("--passphrase-file", passphraseFile),
        2,
        "stores of it is plain",
        "--store-decrypted");
    assertThat(dir.resolve("repository/vms")).doesNotExist();
    assertThat(QemuImg.info(image).at("/format-specific/data/bitmaps").isMissingNode()).isTrue();
  }

  @Test
  void a_wrong_passphrase_fails_with_one_line_that_says_what_may_be_overlooked()
      throws IOException {
    makeLuks("");
    Path wrong = passphraseFile("wrong", "falsch");
    assertOneLine(
        backup("--passphrase-file", wrong, "--store-decrypted"), 1, "opens none of the 1 active");
    Path newline = passphraseFile("newline", PASSPHRASE + "\n");
    assertOneLine(
        backup("--passphrase-file", newline, "--store-decrypted"), 1, "ends with a newline");
    assertOneLine(backup("--passphrase-file", dir.resolve("none"), "--store-decrypted"), 6, "none");
  }

  @Test
  void an_encrypted_image_is_backed_up_incrementally_and_comes_back_equal() throws IOException {
    makeLuks("");
    JsonNode full = backedUp();
    assertThat(full.get("kind").asText()).isEqualTo("full");
    assertThat(full.at("/disks/0/sourceEncryption").asText()).isEqualTo("luks");
    EncryptedQemu.io(image, PASSPHRASE, "write -P 7 2000k 100k", "discard 0 64k");
    EncryptedQemu.checkClean(image, PASSPHRASE);
    JsonNode increment = backedUp();
    assertThat(increment.get("kind").asText()).as(increment.toString()).isEqualTo("incremental");
    assertThat(increment.get("changedBytes").asLong()).isLessThan(512 << 10);

    Path raw = dir.resolve("restored.raw");
    Shell.Result plain = restore(raw);
    plain.success();
    assertThat(plain.err()).contains("was encrypted").contains("--encrypt");
    assertThat(Files.mismatch(raw, EncryptedQemu.toRaw(image, PASSPHRASE))).isEqualTo(-1);
    Shell.run("qemu-img", "compare", "-f", "raw", "-F", "raw", raw, dir.resolve("vda.qcow2.raw"))
        .success();
  }

  @Test
  void a_disk_is_restored_as_luks_under_another_passphrase_and_goes_on_incrementally()
      throws IOException {
    makeLuks("");
    backedUp();
    Path before = EncryptedQemu.toRaw(image, PASSPHRASE);
    Path other = passphraseFile("other", "zweites Wort");
    Path restored = dir.resolve("restored.qcow2");
    Shell.Result result =
        restore(restored, "--format", "qcow2", "--encrypt", "--passphrase-file", other, "--track");
    result.success();
    assertThat(result.err()).isEmpty();
    EncryptedQemu.checkClean(restored, "zweites Wort");
    assertThat(Files.mismatch(EncryptedQemu.toRaw(restored, "zweites Wort"), before)).isEqualTo(-1);
    assertThat(QemuImg.info(restored).at("/format-specific/data/encrypt/cipher-alg").asText())
        .isEqualTo("aes-256");
    assertThat(EncryptedQemu.ioResult(restored, PASSPHRASE, "read 0 512").exit()).isNotZero();

    EncryptedQemu.io(restored, "zweites Wort", "write -P 9 64k 64k");
    Shell.Result next =
        run(
            "backup",
            new Object[] {"--passphrase-file", other, "--store-decrypted"},
            "--json",
            "vda=" + restored);
    assertThat(QemuImg.json(next.success()).get("kind").asText()).isEqualTo("incremental");
    Path raw = dir.resolve("again.raw");
    restore(raw).success();
    assertThat(Files.mismatch(raw, EncryptedQemu.toRaw(restored, "zweites Wort"))).isEqualTo(-1);
  }

  @Test
  void a_legacy_image_is_backed_up_and_only_qcow2_results_are_encrypted() throws IOException {
    EncryptedQemu.create(image, PASSPHRASE, "aes", "", SIZE);
    EncryptedQemu.io(image, PASSPHRASE, "write -P 1 0 3M");
    assertThat(backedUp().at("/disks/0/sourceEncryption").asText()).isEqualTo("aes");
    Path raw = dir.resolve("restored.raw");
    assertOneLine(
        restore(raw, "--encrypt", "--passphrase-file", passphraseFile), 2, "--format qcow2");
    assertOneLine(restore(raw, "--encrypt"), 2, "need each other");
    restore(raw).success();
    assertThat(Files.mismatch(raw, EncryptedQemu.toRaw(image, PASSPHRASE))).isEqualTo(-1);
  }

  @Test
  void an_encrypted_backing_file_is_opened_by_its_own_passphrase() throws IOException {
    Path base = dir.resolve("base.qcow2");
    EncryptedQemu.create(base, "unten", "luks", "encrypt.iter-time=10", SIZE);
    EncryptedQemu.io(base, "unten", "write -P 1 0 3M");
    QemuImg.of(
        "create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", base, image, Long.toString(SIZE));
    Path below = passphraseFile("below", "unten");
    assertOneLine(backup("--backing-passphrase-file", below), 2, "plain", "--store-decrypted");
    backup("--backing-passphrase-file", below, "--store-decrypted").success();
    Path raw = dir.resolve("restored.raw");
    restore(raw).success();
    assertThat(Files.mismatch(raw, EncryptedQemu.toRaw(base, "unten"))).isEqualTo(-1);
  }

  @Test
  void a_passphrase_file_that_others_can_read_is_pointed_out() throws IOException {
    makeLuks("");
    Files.setPosixFilePermissions(passphraseFile, PosixFilePermissions.fromString("rw-r--r--"));
    Shell.Result result = Cowbell.run("image", "map", "--passphrase-file", passphraseFile, image);
    assertThat(result.exit()).isZero();
    assertThat(result.err()).contains("warning").contains("chmod 600").doesNotContain(PASSPHRASE);
  }
}
