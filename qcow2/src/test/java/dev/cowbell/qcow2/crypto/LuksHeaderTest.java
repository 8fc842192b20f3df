package dev.cowbell.qcow2.crypto;

import static dev.cowbell.qcow2.crypto.LuksImages.CLUSTER;
import static dev.cowbell.qcow2.crypto.LuksImages.passphrase;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class LuksHeaderTest {
  private final byte[] file = LuksImages.file(LuksOptions.defaults(), "secret");
  private final ByteBuffer header = ByteBuffer.wrap(file, CLUSTER, 592).slice();
  private final ImageHead head = LuksImages.head(file.length - CLUSTER);

  @Test
  void refuses_another_magic_or_version() {
    header.put(0, (byte) 'X');
    assertCorrupt("the LUKS header starts with 6 bytes 58554b53babe");
    header.put(0, (byte) 'L').putShort(6, (short) 2);
    assertUnsupported("the LUKS header has version 2, allowed is 1");
  }

  @Test
  void refuses_names_that_do_not_end_or_are_not_known() {
    text(8, "x".repeat(32));
    assertCorrupt("the LUKS header's cipher name does not end within 32 bytes");
    text(8, "serp\nent");
    assertUnsupported("encryption cipher 'serp?ent' is not supported, allowed are aes");
    text(8, "aes");
    text(40, "xts");
    assertUnsupported("encryption cipher mode 'xts' is not supported");
    text(40, "gcm-plain64");
    assertUnsupported("encryption cipher mode 'gcm' is not supported");
    text(40, "xts-random");
    assertUnsupported("encryption IV generator 'random' is not supported");
    text(40, "xts-essiv");
    assertUnsupported("encryption hash '' is not supported");
    text(40, "xts-essiv:sha512");
    assertUnsupported("encryption IV hash 'sha512' is not supported");
    text(40, "xts-plain64");
    text(72, "ripemd160");
    assertUnsupported("encryption hash 'ripemd160' is not supported");
  }

  @Test
  void refuses_key_lengths_that_aes_does_not_have() {
    for (int length : new int[] {0, 1, 16, 31, 33, 65, Integer.MAX_VALUE, -1, -64}) {
      header.putInt(108, length);
      assertUnsupported("the LUKS header's key has " + Integer.toUnsignedLong(length) + " bytes");
    }
  }

  @Test
  void refuses_slots_with_other_stripes_states_or_no_iterations() {
    header.putInt(slot(3) + 44, 3999);
    assertCorrupt("key slot 3 has 3999 stripes, allowed are 4000");
    header.putInt(slot(3) + 44, -1);
    assertCorrupt("key slot 3 has 4294967295 stripes, allowed are 4000");
    header.putInt(slot(3) + 44, 4000).putInt(slot(5), 1);
    assertCorrupt("key slot 5 is in state 0x1, allowed are 0xac71f3 (active) and 0xdead");
    header.putInt(slot(5), 0xdead).putInt(slot(0) + 4, 0);
    assertCorrupt("key slot 0 has 0 iterations, allowed is 1 or more");
    header.putInt(slot(0) + 4, 3).putInt(164, 0);
    assertCorrupt("the LUKS header's digest has 0 iterations");
  }

  @Test
  void refuses_slots_that_overlap_each_other_the_header_or_the_payload() {
    header.putInt(slot(2) + 40, 1);
    assertCorrupt("key slot 2 covers the sectors 1 to 500, allowed are 2 to 4039");
    header.putInt(slot(2) + 40, 513);
    assertCorrupt("the key slots 1 and 2 overlap: they start at the sectors 512 and 513");
    header.putInt(slot(2) + 40, -1);
    assertCorrupt("key slot 2 covers the sectors 4294967295 to 4294967794");
    header.putInt(slot(2) + 40, 1016).putInt(104, 4000);
    assertCorrupt("key slot 7 covers the sectors 3536 to 4035, allowed are 2 to 3999");
  }

  @Test
  void refuses_more_work_than_can_be_meant_before_doing_it() {
    header.putInt(slot(0) + 4, -1);
    assertUnsupported(
        "up to key slot 0 (4294967295 iterations, the digest 3) unlocking takes 8589934593 rounds,"
            + " allowed are 536870912");
    header.putInt(slot(0) + 4, 1).putInt(164, -1);
    assertUnsupported("up to key slot 0 (1 iterations, the digest 4294967295)");
  }

  @Test
  void slots_that_are_dear_only_together_are_refused_when_their_turn_comes() throws Exception {
    header.putInt(slot(7), 0x00ac71f3).putInt(slot(7) + 4, 1 << 30);
    LuksArea area = LuksArea.open(new MemoryHostFile("image", file), head);
    try (Passphrase right = passphrase("secret")) {
      area.unlock(right).close();
    }
    assertThatThrownBy(() -> area.unlock(passphrase("wrong")))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageStartingWith("up to key slot 7 (1073741824 iterations");
  }

  @Test
  void refuses_an_area_that_is_too_short_or_lies_nowhere() {
    assertThatThrownBy(() -> LuksArea.open(image(file), LuksImages.head(591)))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("591 bytes");
    assertThatThrownBy(() -> LuksArea.open(image(file), LuksImages.head(-1)))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("18446744073709551615 bytes");
    assertThatThrownBy(
            () -> LuksArea.open(image(file), LuksImages.head(592)).unlock(passphrase("secret")))
        .isInstanceOf(CorruptImageException.class)
        .hasMessage(
            "the key material of slot 0 ends at byte 260096 of the LUKS header, which has 592");
    assertThatThrownBy(() -> LuksArea.open(image(Arrays.copyOf(file, CLUSTER + 100)), head))
        .isInstanceOf(CorruptImageException.class)
        .hasMessage("the LUKS header needs 592 bytes at offset 65536, the file has 100 there");
    assertThatThrownBy(() ->
            LuksArea.open(image(Arrays.copyOf(file, CLUSTER + 5000)), head)
                .unlock(passphrase("secret")))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("key material of slot 0 needs 256000 bytes");
  }

  @Test
  void any_bytes_are_refused_or_bounded_never_an_accident() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    byte[] original = file.clone();
    for (int round = 0; round < 300; round++) {
      System.arraycopy(original, CLUSTER, file, CLUSTER, 592);
      for (int i = 1 + random.nextInt(6); i > 0; i--) {
        header.put(random.nextInt(592), (byte) random.nextInt());
      }
      try {
        LuksArea area = LuksArea.open(image(file), head);
        if (cheap()) {
          area.unlock(passphrase("secret")).close();
        }
      } catch (ImageException e) {
        assertThat(e.getMessage()).as("seed %d", seed).doesNotContain("\n").isNotEmpty();
      } catch (Exception e) {
        throw new AssertionError("seed " + seed + ", round " + round, e);
      }
    }
  }

  private boolean cheap() {
    long rounds = Integer.toUnsignedLong(header.getInt(164));
    for (int i = 0; i < 8; i++) {
      rounds += Integer.toUnsignedLong(header.getInt(slot(i) + 4));
    }
    return rounds < 10_000;
  }

  private void assertCorrupt(String message) {
    assertRefused(CorruptImageException.class, message);
  }

  private void assertUnsupported(String message) {
    assertRefused(UnsupportedFeatureException.class, message);
  }

  private void assertRefused(Class<? extends ImageException> kind, String message) {
    assertThatThrownBy(() -> LuksArea.open(image(file), head).unlock(passphrase("secret")))
        .isInstanceOf(kind)
        .hasMessageStartingWith(message);
  }

  private void text(int at, String text) {
    header.put(at, Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), 32));
  }

  private static int slot(int number) {
    return 208 + 48 * number;
  }

  private static MemoryHostFile image(byte[] content) {
    return new MemoryHostFile("image", content);
  }
}
