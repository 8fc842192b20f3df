package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The block ciphers of LUKS that the JDK has; QEMU also knows serpent, twofish and cast5. */
public enum CipherAlgorithm {
  AES_128("aes-128", 16),
  AES_192("aes-192", 24),
  AES_256("aes-256", 32);

  /** The name of all of them in a LUKS header, which says the key's length elsewhere. */
  static final String FAMILY = "aes";

  private final String text;
  private final int keyLength;

  CipherAlgorithm(String text, int keyLength) {
    this.text = text;
    this.keyLength = keyLength;
  }

  /**
   * The cipher of a name as QEMU's options write it.
   *
   * @throws UnsupportedFeatureException if no such cipher is known here
   */
  public static CipherAlgorithm of(String text) throws UnsupportedFeatureException {
    return Arrays.stream(values())
        .filter(cipher -> cipher.text.equals(text))
        .findFirst()
        .orElseThrow(() -> Names.unsupported("cipher", text, known()));
  }

  static Optional<CipherAlgorithm> ofKeyLength(long bytes) {
    return Arrays.stream(values()).filter(cipher -> cipher.keyLength == bytes).findFirst();
  }

  private static String known() {
    return Arrays.stream(values()).map(cipher -> cipher.text).collect(Collectors.joining(", "));
  }

  /** The name as QEMU's options write it. */
  public String text() {
    return text;
  }

  /** The bytes of one key. */
  public int keyLength() {
    return keyLength;
  }
}
