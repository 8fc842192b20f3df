package dev.cowbell.qcow2.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.SecureRandom;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class AntiForensicSplitterTest {

  @Test
  void gives_back_the_key_for_every_hash_and_length() {
    Random random = new Random(6);
    for (HashAlgorithm hash : HashAlgorithm.values()) {
      for (int length : new int[] {16, 32, 48, 64}) {
        byte[] key = new byte[length];
        random.nextBytes(key);
        AntiForensicSplitter splitter = new AntiForensicSplitter(hash);
        byte[] stripes = splitter.split(key, new SecureRandom());
        assertThat(stripes).hasSize(4000 * length);
        assertThat(splitter.merge(stripes)).as("%s, %d bytes", hash, length).isEqualTo(key);
      }
    }
  }

  @Test
  void any_changed_bit_loses_the_key() {
    byte[] key = new byte[32];
    AntiForensicSplitter splitter = new AntiForensicSplitter(HashAlgorithm.SHA256);
    byte[] stripes = splitter.split(key, new SecureRandom());
    for (int at : new int[] {0, 31, 32, 77_777, stripes.length - 1}) {
      stripes[at] ^= 1;
      assertThat(splitter.merge(stripes)).isNotEqualTo(key);
      stripes[at] ^= 1;
    }
    assertThat(splitter.merge(stripes)).isEqualTo(key);
  }
}
