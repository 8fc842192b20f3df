package dev.cowbell.it.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code image amend} changes the passphrases of an image as {@code qemu-img amend} does. */
final class KeySlotsIT {
  private static final long SIZE = 1 << 20;
  private static final String FIRST = "erstes";
  private static final String SECOND = "zweites";

  @TempDir private Path dir;
  private Path image;
  private Path first;
  private Path second;

  @BeforeEach
  void makeAnImage() throws IOException {
    first = PassphraseFiles.write(dir.resolve("first"), FIRST);
    second = PassphraseFiles.write(dir.resolve("second"), SECOND);
    image = dir.resolve("image.qcow2");
    EncryptedQemu.create(image, FIRST, "luks", "encrypt.iter-time=10", SIZE);
    EncryptedQemu.io(image, FIRST, "write -P 7 0 1M");
  }

  private static Shell.Result amend(Path image, Object... options) {
    List<Object> words = new ArrayList<>(List.of("image", "amend"));
    words.addAll(List.of(options));
    words.add(image);
    return Cowbell.run(words.toArray());
  }

  private void add(Path added, String more) {
    amend(
            image,
            "--passphrase-file",
            first,
            "-o",
            "encrypt.state=active,encrypt.iter-time=10,encrypt.new-secret-file=" + added + more)
        .success();
  }

  private boolean opens(String passphrase) {
    Shell.Result result = EncryptedQemu.ioResult(image, passphrase, "read -P 7 0 1M");
    boolean opened = result.exit() == 0;
    assertThat(opened || result.err().contains("Invalid password")).as(result.toString()).isTrue();
    return opened;
  }

  private String activeSlots() {
    StringBuilder active = new StringBuilder();
    for (JsonNode slot : QemuImg.info(image).at("/format-specific/data/encrypt/slots")) {
      active.append(slot.get("active").asBoolean() ? '1' : '0');
    }
    return active.toString();
  }

  @Test
  void qemu_opens_an_image_with_an_added_passphrase_and_no_more_with_an_erased_one()
      throws IOException {
    add(second, "");
    assertThat(activeSlots()).isEqualTo("11000000");
    assertThat(opens(FIRST)).isTrue();
    assertThat(opens(SECOND)).isTrue();
    amend(image, "-o", "encrypt.state=inactive,encrypt.old-secret-file=" + first).success();
    assertThat(activeSlots()).isEqualTo("01000000");
    assertThat(opens(FIRST)).isFalse();
    assertThat(opens(SECOND)).isTrue();
    EncryptedQemu.checkClean(image, SECOND);
  }

  @Test
  void slots_are_chosen_and_erased_by_number() throws IOException {
    add(second, ",encrypt.keyslot=5");
    add(second, ",encrypt.keyslot=7");
    assertThat(activeSlots()).isEqualTo("10000101");
    amend(image, "--passphrase-file", second, "-o", "encrypt.state=inactive,encrypt.keyslot=5")
        .success();
    assertThat(activeSlots()).isEqualTo("10000001");
    Shell.Result other =
        amend(
            image,
            "-o",
            "encrypt.state=inactive,encrypt.keyslot=0,encrypt.old-secret-file=" + second);
    assertThat(other.failure()).hasLineCount(1).contains("key slot 0 is not of the old passphrase");
    amend(image, "-o", "encrypt.state=inactive,encrypt.keyslot=7,encrypt.old-secret-file=" + second)
        .success();
    assertThat(activeSlots()).isEqualTo("10000000");
    assertThat(opens(SECOND)).isFalse();
    assertThat(opens(FIRST)).isTrue();
  }

  @Test
  void every_slot_of_a_passphrase_is_erased_that_qemu_added_too() throws IOException {
    add(second, "");
    EncryptedQemu.patient(
        "qemu-img",
        "amend",
        "--object",
        EncryptedQemu.secret("sec0", FIRST),
        "--object",
        EncryptedQemu.secret("sec1", SECOND),
        "-o",
        "encrypt.state=active,encrypt.new-secret=sec1,encrypt.keyslot=3,encrypt.iter-time=10",
        "--image-opts",
        EncryptedQemu.imageOpts(image));
    assertThat(activeSlots()).isEqualTo("11010000");
    amend(image, "-o", "encrypt.state=inactive,encrypt.old-secret-file=" + second).success();
    assertThat(activeSlots()).isEqualTo("10000000");
    assertThat(opens(SECOND)).isFalse();
    assertThat(opens(FIRST)).isTrue();
  }

  @Test
  void the_last_passphrase_is_not_erased() throws IOException {
    byte[] before = Files.readAllBytes(image);
    assertThat(
            amend(image, "-o", "encrypt.state=inactive,encrypt.old-secret-file=" + first).failure())
        .hasLineCount(1)
        .contains("nothing can read the image's data");
    assertThat(
            amend(
                    image,
                    "--passphrase-file",
                    first,
                    "-o",
                    "encrypt.state=inactive,encrypt.keyslot=0")
                .failure())
        .hasLineCount(1)
        .contains("key slot 0 is the only active one");
    assertThat(Files.readAllBytes(image)).isEqualTo(before);
    add(first, "");
    assertThat(
            amend(image, "-o", "encrypt.state=inactive,encrypt.old-secret-file=" + first).failure())
        .contains("all 2 active key slots");
    assertThat(opens(FIRST)).isTrue();
  }

  @Test
  void what_is_missing_or_wrong_is_one_line_and_changes_nothing() throws IOException {
    byte[] before = Files.readAllBytes(image);
    String adding = "encrypt.state=active,encrypt.new-secret-file=" + second;
    assertRefused(2, "--passphrase-file", "-o", adding);
    assertRefused(1, "opens none", "--passphrase-file", second, "-o", adding);
    assertRefused(1, "is active", "--passphrase-file", first, "-o", adding + ",encrypt.keyslot=0");
    assertRefused(2, "0 to 7", "--passphrase-file", first, "-o", adding + ",encrypt.keyslot=8");
    assertRefused(2, "new-secret-file", "--passphrase-file", first, "-o", "encrypt.state=active");
    assertRefused(2, "encrypt.state", "-o", "encrypt.keyslot=1");
    assertRefused(2, "encrypt.keyslot", "-o", "encrypt.state=inactive");
    assertRefused(2, "no secret objects", "-o", "encrypt.state=active,encrypt.new-secret=sec0");
    assertRefused(2, "can't be amended", "-o", "encrypt.cipher-alg=aes-128");
    assertThat(Files.readAllBytes(image)).isEqualTo(before);
    Path plain = dir.resolve("plain.qcow2");
    QemuImg.create(plain, "", SIZE);
    assertThat(amend(plain, "--passphrase-file", first, "-o", adding).failure())
        .hasLineCount(1)
        .contains("not encrypted");
  }

  private void assertRefused(int exit, String says, Object... options) {
    Shell.Result result = amend(image, options);
    assertThat(result.exit()).as(result.toString()).isEqualTo(exit);
    assertThat(result.err()).as(result.toString()).hasLineCount(1).contains(says);
  }
}
