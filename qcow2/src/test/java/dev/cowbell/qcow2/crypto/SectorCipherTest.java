package dev.cowbell.qcow2.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;

final class SectorCipherTest {
  private static final HexFormat HEX = HexFormat.of();
  private static final int SECTOR = SectorCipher.SECTOR;

  @Test
  void xts_with_aes_128_agrees_with_vector_4_of_ieee_1619() throws Exception {
    assertVector(
        CipherAlgorithm.AES_128,
        "2718281828459045235360287471352631415926535897932384626433832795",
        0,
        """
        27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89cc78cf7f5e543445f
        8333d8fa7f56000005279fa5d8b5e4ad40e736ddb4d35412328063fd2aab53e5ea1e0a9f332500a5
        df9487d07a5c92cc512c8866c7e860ce93fdf166a24912b422976146ae20ce846bb7dc9ba94a767a
        aef20c0d61ad02655ea92dc4c4e41a8952c651d33174be51a10c421110e6d81588ede82103a252d8
        a750e8768defffed9122810aaeb99f9172af82b604dc4b8e51bcb08235a6f4341332e4ca60482a4b
        a1a03b3e65008fc5da76b70bf1690db4eae29c5f1badd03c5ccf2a55d705ddcd86d449511ceb7ec3
        0bf12b1fa35b913f9f747a8afd1b130e94bff94effd01a91735ca1726acd0b197c4e5b03393697e1
        26826fb6bbde8ecc1e08298516e2c9ed03ff3c1b7860f6de76d4cecd94c8119855ef5297ca67e9f3
        e7ff72b1e99785ca0a7e7720c5b36dc6d72cac9574c8cbbc2f801e23e56fd344b07f22154beba0f0
        8ce8891e643ed995c94d9a69c9f1b5f499027a78572aeebd74d20cc39881c213ee770b1010e4bea7
        18846977ae119f7a023ab58cca0ad752afe656bb3c17256a9f6e9bf19fdd5a38fc82bbe872c5539e
        db609ef4f79c203ebb140f2e583cb2ad15b4aa5b655016a8449277dbd477ef2c8d6c017db738b18d
        eb4a427d1923ce3ff262735779a418f20a282df920147beabe421ee5319d0568
        """);
  }

  @Test
  void xts_with_aes_256_agrees_with_vector_10_of_ieee_1619() throws Exception {
    assertVector(
        CipherAlgorithm.AES_256,
        "2718281828459045235360287471352662497757247093699959574966967627"
            + "3141592653589793238462643383279502884197169399375105820974944592",
        0xff,
        """
        1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b5d31e276f8fe4a8d
        66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd5776926c49a3095eb108fd1098baec70
        aaa66999a72a82f27d848b21d4a741b0c5cd4d5fff9dac89aeba122961d03a757123e9870f8acf10
        00020887891429ca2a3e7a7d7df7b10355165c8b9a6d0a7de8b062c4500dc4cd120c0f7418dae3d0
        b5781c34803fa75421c790dfe1de1834f280d7667b327f6c8cd7557e12ac3a0f93ec05c52e0493ef
        31a12d3d9260f79a289d6a379bc70c50841473d1a8cc81ec583e9645e07b8d9670655ba5bbcfecc6
        dc3966380ad8fecb17b6ba02469a020a84e18e8f84252070c13e9f1f289be54fbc481457778f6160
        15e1327a02b140f1505eb309326d68378f8374595c849d84f4c333ec4423885143cb47bd71c5edae
        9be69a2ffeceb1bec9de244fbe15992b11b77c040f12bd8f6a975a44a0f90c29a9abc3d4d8939272
        84c58754cce294529f8614dcd2aba991925fedc4ae74ffac6e333b93eb4aff0479da9a410e4450e0
        dd7ae4c6e2910900575da401fc07059f645e8b7e9bfdef33943054ff84011493c27b3429eaedb4ed
        5376441a77ed43851ad77f16f541dfd269d50d6a5f14fb0aab1cbb4c1550be97f7ab4066193c4caa
        773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6e693e148c151
        """);
  }

  @Test
  void cbc_agrees_with_the_jdks_cbc_sector_by_sector() throws Exception {
    Random random = new Random(1);
    for (CipherAlgorithm algorithm : List.of(CipherAlgorithm.AES_128, CipherAlgorithm.AES_256)) {
      CipherSpec spec = spec(algorithm, CipherMode.CBC, IvGenerator.PLAIN64);
      byte[] key = bytes(random, spec.keyLength());
      byte[] plain = bytes(random, 75 * SECTOR);
      byte[] expected = new byte[plain.length];
      for (int sector = 0; sector < 75; sector++) {
        byte[] iv = new byte[16];
        iv[0] = (byte) (sector + 9);
        Cipher jdk = Cipher.getInstance("AES/CBC/NoPadding");
        jdk.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(iv));
        jdk.doFinal(plain, sector * SECTOR, SECTOR, expected, sector * SECTOR);
      }
      byte[] actual = plain.clone();
      try (SectorCipher cipher = new SectorCipher(spec, key)) {
        cipher.encrypt(9, ByteBuffer.wrap(actual));
        assertThat(actual).isEqualTo(expected);
        cipher.decrypt(9, ByteBuffer.wrap(actual));
      }
      assertThat(actual).isEqualTo(plain);
    }
  }

  @Test
  void ctr_agrees_with_the_jdks_ctr_and_essiv_with_its_definition() throws Exception {
    byte[] key = new byte[32];
    for (int i = 0; i < key.length; i++) {
      key[i] = (byte) i;
    }
    byte[] plain = pattern();
    byte[] iv = new byte[16];
    iv[0] = 7;
    assertThat(encrypted(spec(CipherAlgorithm.AES_256, CipherMode.CTR, IvGenerator.PLAIN), key, 7))
        .isEqualTo(jdk("AES/CTR/NoPadding", key, iv, plain));

    byte[] salt = MessageDigest.getInstance("SHA-256").digest(key);
    byte[] number = new byte[16];
    number[0] = 5;
    byte[] essiv = jdk("AES/ECB/NoPadding", salt, new byte[0], number);
    CipherSpec spec =
        CipherSpec.of(
            CipherAlgorithm.AES_256,
            CipherMode.CBC,
            IvGenerator.ESSIV,
            Optional.of(HashAlgorithm.SHA256));
    assertThat(encrypted(spec, key, 5)).isEqualTo(jdk("AES/CBC/NoPadding", key, essiv, plain));
  }

  @Test
  void plain_uses_32_bits_of_the_sector_number_and_plain64_all() throws Exception {
    byte[] key = bytes(new Random(2), 32);
    CipherSpec plain = spec(CipherAlgorithm.AES_128, CipherMode.XTS, IvGenerator.PLAIN);
    CipherSpec plain64 = spec(CipherAlgorithm.AES_128, CipherMode.XTS, IvGenerator.PLAIN64);
    long far = (1L << 32) + 3;
    assertThat(encrypted(plain, key, far)).isEqualTo(encrypted(plain, key, 3));
    assertThat(encrypted(plain64, key, far)).isNotEqualTo(encrypted(plain64, key, 3));
    assertThat(encrypted(plain64, key, 3)).isEqualTo(encrypted(plain, key, 3));
  }

  @Test
  void every_mode_gives_back_what_it_took_in_any_kind_of_buffer_and_in_any_pieces()
      throws Exception {
    Random random = new Random(3);
    for (CipherMode mode : CipherMode.values()) {
      for (IvGenerator generator : IvGenerator.values()) {
        CipherSpec spec =
            CipherSpec.of(
                CipherAlgorithm.AES_256, mode, generator, Optional.of(HashAlgorithm.SHA256));
        byte[] plain = bytes(random, 100 * SECTOR);
        try (SectorCipher cipher = new SectorCipher(spec, bytes(random, spec.keyLength()))) {
          byte[] whole = plain.clone();
          cipher.encrypt(1000, ByteBuffer.wrap(whole));
          assertThat(whole).isNotEqualTo(plain);

          ByteBuffer direct = ByteBuffer.allocateDirect(plain.length + 7).position(7).slice();
          direct.put(plain).flip();
          cipher.encrypt(1000, direct);
          byte[] fromDirect = new byte[plain.length];
          direct.get(0, fromDirect);
          assertThat(direct.position()).isZero();
          assertThat(fromDirect).as("%s", spec).isEqualTo(whole);

          for (int at = 0; at < 100; ) {
            int sectors = Math.min(100 - at, 1 + random.nextInt(40));
            ByteBuffer piece = ByteBuffer.wrap(whole, at * SECTOR, sectors * SECTOR);
            cipher.decrypt(1000 + at, piece);
            assertThat(piece.position()).isEqualTo(at * SECTOR);
            at += sectors;
          }
          assertThat(whole).as("%s", spec).isEqualTo(plain);
        }
      }
    }
  }

  @Test
  void many_threads_share_one_cipher() throws Exception {
    CipherSpec spec = spec(CipherAlgorithm.AES_256, CipherMode.XTS, IvGenerator.PLAIN64);
    try (SectorCipher cipher = new SectorCipher(spec, bytes(new Random(4), 64));
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<Boolean>> tasks = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        Random random = new Random(i);
        tasks.add(() -> {
          for (int round = 0; round < 20; round++) {
            byte[] plain = bytes(random, SECTOR * (1 + random.nextInt(64)));
            byte[] data = plain.clone();
            long sector = random.nextInt();
            cipher.encrypt(sector, ByteBuffer.wrap(data));
            cipher.decrypt(sector, ByteBuffer.wrap(data));
            if (!Arrays.equals(data, plain)) {
              return false;
            }
          }
          return true;
        });
      }
      for (Future<Boolean> result : threads.invokeAll(tasks)) {
        assertThat(result.get()).isTrue();
      }
    }
  }

  @Test
  void refuses_parts_of_sectors_keys_of_another_length_and_use_after_closing() throws Exception {
    CipherSpec spec = spec(CipherAlgorithm.AES_128, CipherMode.XTS, IvGenerator.PLAIN64);
    assertThatThrownBy(() -> new SectorCipher(spec, new byte[16]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the key has 16 bytes, aes-128-xts-plain64 needs 32");
    SectorCipher cipher = new SectorCipher(spec, new byte[32]);
    assertThatThrownBy(() -> cipher.decrypt(0, ByteBuffer.allocate(100)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("100 bytes are not whole sectors");
    cipher.close();
    assertThatThrownBy(() -> cipher.decrypt(0, ByteBuffer.allocate(SECTOR)))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void refuses_combinations_that_qemu_can_not_use() {
    assertThatThrownBy(() -> spec(CipherAlgorithm.AES_192, CipherMode.CBC, IvGenerator.PLAIN64))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining("aes-192-cbc-plain64");
    assertThatThrownBy(() ->
            CipherSpec.of(
                CipherAlgorithm.AES_256,
                CipherMode.CBC,
                IvGenerator.ESSIV,
                Optional.of(HashAlgorithm.SHA1)))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining("sha1");
  }

  private static void assertVector(
      CipherAlgorithm algorithm, String key, long sector, String ciphertext) throws Exception {
    CipherSpec spec = spec(algorithm, CipherMode.XTS, IvGenerator.PLAIN64);
    byte[] data = encrypted(spec, HEX.parseHex(key), sector);
    assertThat(HEX.formatHex(data)).isEqualTo(ciphertext.replace("\n", ""));
    try (SectorCipher cipher = new SectorCipher(spec, HEX.parseHex(key))) {
      cipher.decrypt(sector, ByteBuffer.wrap(data));
    }
    assertThat(data).isEqualTo(pattern());
  }

  private static byte[] encrypted(CipherSpec spec, byte[] key, long sector) {
    byte[] data = pattern();
    try (SectorCipher cipher = new SectorCipher(spec, key)) {
      cipher.encrypt(sector, ByteBuffer.wrap(data));
    }
    return data;
  }

  private static byte[] pattern() {
    byte[] plain = new byte[SECTOR];
    for (int i = 0; i < SECTOR; i++) {
      plain[i] = (byte) i;
    }
    return plain;
  }

  private static byte[] jdk(String transformation, byte[] key, byte[] iv, byte[] data)
      throws Exception {
    Cipher cipher = Cipher.getInstance(transformation);
    SecretKeySpec aes = new SecretKeySpec(key, "AES");
    if (iv.length == 0) {
      cipher.init(Cipher.ENCRYPT_MODE, aes);
    } else {
      cipher.init(Cipher.ENCRYPT_MODE, aes, new IvParameterSpec(iv));
    }
    return cipher.doFinal(data);
  }

  private static CipherSpec spec(CipherAlgorithm algorithm, CipherMode mode, IvGenerator generator)
      throws UnsupportedFeatureException {
    return CipherSpec.of(algorithm, mode, generator, Optional.empty());
  }

  private static byte[] bytes(Random random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }
}
