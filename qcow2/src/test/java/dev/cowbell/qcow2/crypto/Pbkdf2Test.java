package dev.cowbell.qcow2.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Random;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.junit.jupiter.api.Test;

final class Pbkdf2Test {

  @Test
  void agrees_with_the_vectors_of_rfc_6070() {
    assertThat(hex("password", "salt", 1, 20))
        .isEqualTo("0c60c80f961f0e71f3a9b524af6012062fe037a6");
    assertThat(hex("password", "salt", 4096, 20))
        .isEqualTo("4b007901b765489abead49d926f721d065a429c1");
    assertThat(hex("passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, 25))
        .isEqualTo("3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038");
  }

  @Test
  void agrees_with_the_jdk_for_every_hash_and_passwords_longer_than_a_block() throws Exception {
    Random random = new Random(5);
    byte[] salt = new byte[32];
    for (HashAlgorithm hash : HashAlgorithm.values()) {
      if (hash == HashAlgorithm.MD5) {
        continue; // The JDK has no such derivation; QEMU's images show that ours is right.
      }
      String jdkName = "PBKDF2WithHmac" + hash.text().toUpperCase(java.util.Locale.ROOT);
      for (int passwordLength : new int[] {1, 20, 64, 65, 128, 129, 300}) {
        String password = "x".repeat(passwordLength);
        random.nextBytes(salt);
        byte[] expected =
            SecretKeyFactory.getInstance(jdkName)
                .generateSecret(new PBEKeySpec(password.toCharArray(), salt, 50, 64 * 8))
                .getEncoded();
        assertThat(Pbkdf2.derive(hash, password.getBytes(StandardCharsets.UTF_8), salt, 50, 64))
            .as("%s, %d characters", hash, passwordLength)
            .isEqualTo(expected);
      }
    }
  }

  @Test
  void takes_an_empty_password() {
    assertThat(Pbkdf2.derive(HashAlgorithm.SHA256, new byte[0], new byte[32], 10, 64)).hasSize(64);
  }

  @Test
  void measures_more_than_none() {
    assertThat(Pbkdf2.iterationsPerSecond(HashAlgorithm.SHA256, 64, Duration.ofMillis(5)))
        .isGreaterThan(100);
  }

  private static String hex(String password, String salt, int iterations, int length) {
    return HexFormat.of()
        .formatHex(
            Pbkdf2.derive(
                HashAlgorithm.SHA1,
                password.getBytes(StandardCharsets.UTF_8),
                salt.getBytes(StandardCharsets.UTF_8),
                iterations,
                length));
  }
}
