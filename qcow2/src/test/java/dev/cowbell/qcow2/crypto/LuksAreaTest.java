package dev.cowbell.qcow2.crypto;

import static dev.cowbell.qcow2.crypto.LuksImages.CLUSTER;
import static dev.cowbell.qcow2.crypto.LuksImages.passphrase;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.EncryptedImageException;
import dev.cowbell.qcow2.KeySlotException;
import dev.cowbell.qcow2.WrongPassphraseException;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

final class LuksAreaTest {
  private static final long QUICK = LuksImages.ITERATIONS;

  private final byte[] content = LuksImages.file(LuksOptions.defaults(), "old");
  private final MemoryHostFile file = new MemoryHostFile("image", content);
  private final ImageHead head = LuksImages.head(content.length - CLUSTER);

  @Test
  void has_the_layout_of_qemus_default() throws Exception {
    LuksHeader header = LuksArea.open(file, head).header();
    assertThat(header.cipher()).hasToString("aes-256-xts-plain64");
    assertThat(header.hash()).isEqualTo(HashAlgorithm.SHA256);
    assertThat(header.payloadSector()).isEqualTo(4040);
    assertThat(header.activeSlots()).containsExactly(0);
    assertThat(header.slots().stream().map(KeySlot::keySector))
        .containsExactly(8L, 512L, 1016L, 1520L, 2024L, 2528L, 3032L, 3536L);
    assertThat(NewLuks.areaLength(header.cipher())).isEqualTo(2068480);
    LuksOptions cbc = LuksOptions.parse(Map.of("cipher-mode", "cbc"));
    assertThat(NewLuks.areaLength(cbc.cipher())).isEqualTo(2056 * 512);
  }

  @Test
  void the_passphrase_opens_it_and_another_does_not() throws Exception {
    LuksArea area = LuksArea.open(file, head);
    try (Passphrase old = passphrase("old");
        MasterKey key = area.unlock(old)) {
      assertThat(key.bytes()).hasSize(64);
      assertThat(key.toString()).isEqualTo("MasterKey[aes-256-xts-plain64]");
    }
    assertThatThrownBy(() -> area.unlock(passphrase("new")))
        .isInstanceOf(WrongPassphraseException.class)
        .hasMessage("the passphrase opens none of the 1 active key slots");
    assertThatThrownBy(() -> area.unlock(passphrase("old\n")))
        .isInstanceOf(WrongPassphraseException.class)
        .hasMessageContaining("ends with a newline");
  }

  @Test
  void an_added_passphrase_opens_the_same_key_and_an_erased_one_no_more() throws Exception {
    LuksArea area = LuksArea.open(file, head);
    try (Passphrase old = passphrase("old");
        Passphrase added = passphrase("new");
        MasterKey key = area.unlock(old)) {
      assertThat(area.addSlot(key, added, QUICK, OptionalInt.empty())).isEqualTo(1);
      assertThat(area.addSlot(key, added, QUICK, OptionalInt.of(6))).isEqualTo(6);

      LuksArea again = LuksArea.open(file, head);
      assertThat(again.header()).isEqualTo(area.header());
      assertThat(again.slotsOpenedBy(added)).containsExactly(1, 6);
      try (MasterKey same = again.unlock(added)) {
        assertThat(same.bytes()).isEqualTo(key.bytes());
      }
      again.eraseSlot(0, false);
      again.eraseSlot(1, false);
      assertThatThrownBy(() -> again.unlock(old)).isInstanceOf(WrongPassphraseException.class);
      assertThat(LuksArea.open(file, head).slotsOpenedBy(added)).containsExactly(6);
    }
  }

  @Test
  void erasing_leaves_nothing_of_salt_and_key_material() throws Exception {
    LuksArea area = LuksArea.open(file, head);
    byte[] material = Arrays.copyOfRange(content, CLUSTER + 4096, CLUSTER + 4096 + 256_000);
    area.eraseSlot(0, true);
    ByteBuffer now = ByteBuffer.allocate(material.length);
    file.read(CLUSTER + 4096, now);
    int same = 0;
    for (int i = 0; i < material.length; i++) {
      same += material[i] == now.get(i) ? 1 : 0;
    }
    assertThat(same).isLessThan(material.length / 100);
    assertThat(LuksArea.open(file, head).header().slots().getFirst().salt().toArray())
        .containsOnly(0);
  }

  @Test
  void the_only_active_slot_is_erased_only_when_forced() throws Exception {
    LuksArea area = LuksArea.open(file, head);
    area.eraseSlot(3, false);
    assertThatThrownBy(() -> area.eraseSlot(0, false))
        .isInstanceOf(KeySlotException.class)
        .hasMessageStartingWith("key slot 0 is the only active one");
    try (Passphrase old = passphrase("old")) {
      area.unlock(old).close();
      area.eraseSlot(0, true);
      assertThatThrownBy(() -> area.unlock(old)).isInstanceOf(EncryptedImageException.class);
    }
  }

  @Test
  void no_slot_is_overwritten_by_adding_one() throws Exception {
    LuksArea area = LuksArea.open(file, head);
    try (Passphrase old = passphrase("old");
        MasterKey key = area.unlock(old)) {
      assertThatThrownBy(() -> area.addSlot(key, old, QUICK, OptionalInt.of(0)))
          .isInstanceOf(KeySlotException.class)
          .hasMessage("key slot 0 is active: erase it first or use another");
      assertThatThrownBy(() -> area.addSlot(key, old, QUICK, OptionalInt.of(8)))
          .isInstanceOf(KeySlotException.class)
          .hasMessage("there is no key slot 8, allowed are 0 to 7");
      for (int i = 1; i < 8; i++) {
        area.addSlot(key, old, QUICK, OptionalInt.empty());
      }
      assertThatThrownBy(() -> area.addSlot(key, old, QUICK, OptionalInt.empty()))
          .isInstanceOf(KeySlotException.class)
          .hasMessageStartingWith("all 8 key slots are active");
    }
  }

  @Test
  void another_images_key_is_not_put_into_a_slot() throws Exception {
    byte[] other = LuksImages.file(LuksOptions.defaults(), "old");
    LuksArea area = LuksArea.open(file, head);
    LuksArea others = LuksArea.open(new MemoryHostFile("other", other), head);
    try (Passphrase old = passphrase("old");
        MasterKey key = others.unlock(old)) {
      assertThatThrownBy(() -> area.addSlot(key, old, QUICK, OptionalInt.empty()))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(LuksArea.open(file, head).header().activeSlots()).containsExactly(0);
  }

  @Test
  void options_are_named_and_bounded_as_in_qemu_img() throws Exception {
    LuksOptions options =
        LuksOptions.parse(
            Map.of(
                "cipher-alg", "aes-128",
                "cipher-mode", "cbc",
                "ivgen-alg", "essiv",
                "ivgen-hash-alg", "sha256",
                "hash-alg", "sha512",
                "iter-time", "10"));
    assertThat(options.cipher()).hasToString("aes-128-cbc-essiv:sha256");
    assertThat(options.hash()).isEqualTo(HashAlgorithm.SHA512);
    assertThat(options.time()).isEqualTo(IterationTime.ofMillis(10));
    assertThat(LuksOptions.parse(Map.of())).isEqualTo(LuksOptions.defaults());
    for (Map<String, String> refused :
        List.of(
            Map.of("cipher-alg", "serpent-256"),
            Map.of("cipher-mode", "ctr"),
            Map.of("cipher-mode", "gcm"),
            Map.of("hash-alg", "ripemd160"),
            Map.of("iter-time", "0"),
            Map.of("iter-time", "10001"),
            Map.of("iter-time", "soon"),
            Map.of("key-size", "7"))) {
      assertThatThrownBy(() -> LuksOptions.parse(refused))
          .as("%s", refused)
          .hasMessageMatching(".*(allowed|unknown).*");
    }
  }
}
