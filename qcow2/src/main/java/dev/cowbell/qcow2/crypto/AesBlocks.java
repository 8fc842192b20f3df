package dev.cowbell.qcow2.crypto;

import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.ShortBufferException;
import javax.crypto.spec.SecretKeySpec;

/**
 * AES over many independent blocks at a time, which is what processors are fast at; every mode here
 * is built on it. Not for concurrent use.
 */
final class AesBlocks {
  static final int BLOCK = 16;

  private final Cipher encryption;
  private final Cipher decryption;

  AesBlocks(byte[] key) {
    SecretKeySpec aes = new SecretKeySpec(key, "AES");
    try {
      encryption = Cipher.getInstance("AES/ECB/NoPadding");
      encryption.init(Cipher.ENCRYPT_MODE, aes);
      decryption = Cipher.getInstance("AES/ECB/NoPadding");
      decryption.init(Cipher.DECRYPT_MODE, aes);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has AES", e);
    }
  }

  /** Encrypts whole blocks; source and destination are different arrays. */
  void encrypt(byte[] from, int at, int length, byte[] to, int toAt) {
    apply(encryption, from, at, length, to, toAt);
  }

  /** Decrypts whole blocks; source and destination are different arrays. */
  void decrypt(byte[] from, int at, int length, byte[] to, int toAt) {
    apply(decryption, from, at, length, to, toAt);
  }

  private static void apply(Cipher cipher, byte[] from, int at, int length, byte[] to, int toAt) {
    try {
      // Without padding an update leaves nothing behind and, unlike doFinal, allocates nothing.
      int done = cipher.update(from, at, length, to, toAt);
      if (done != length) {
        throw new IllegalArgumentException(length + " bytes are not whole blocks");
      }
    } catch (ShortBufferException e) {
      throw new IllegalArgumentException(e);
    }
  }
}
