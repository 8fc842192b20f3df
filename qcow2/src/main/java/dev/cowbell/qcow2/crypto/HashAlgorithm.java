package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The hashes of LUKS that the JDK has; QEMU also knows ripemd160. */
public enum HashAlgorithm {
  MD5("md5", "MD5", 16, 64),
  SHA1("sha1", "SHA-1", 20, 64),
  SHA224("sha224", "SHA-224", 28, 64),
  SHA256("sha256", "SHA-256", 32, 64),
  SHA384("sha384", "SHA-384", 48, 128),
  SHA512("sha512", "SHA-512", 64, 128);

  private final String text;
  private final String provided;
  private final int digestLength;
  private final int blockLength;

  HashAlgorithm(String text, String provided, int digestLength, int blockLength) {
    this.text = text;
    this.provided = provided;
    this.digestLength = digestLength;
    this.blockLength = blockLength;
  }

  /**
   * The hash of a name as QEMU and LUKS headers write it.
   *
   * @throws UnsupportedFeatureException if no such hash is known here
   */
  public static HashAlgorithm of(String text) throws UnsupportedFeatureException {
    Optional<HashAlgorithm> found =
        Arrays.stream(values()).filter(hash -> hash.text.equals(text)).findFirst();
    return found.orElseThrow(() -> Names.unsupported("hash", text, known()));
  }

  private static String known() {
    return Arrays.stream(values()).map(hash -> hash.text).collect(Collectors.joining(", "));
  }

  /** The name as QEMU and LUKS headers write it. */
  public String text() {
    return text;
  }

  /** The bytes of a digest. */
  public int digestLength() {
    return digestLength;
  }

  /** The bytes that the hash takes in at a time, the length of an HMAC key. */
  int blockLength() {
    return blockLength;
  }

  MessageDigest newDigest() {
    try {
      return MessageDigest.getInstance(provided);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has " + provided, e);
    }
  }
}
