package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Bytes;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A SHA-256 digest.
 *
 * @param bytes its {@value #LENGTH} bytes
 */
public record Sha256(Bytes bytes) {
  public static final int LENGTH = 32;

  public Sha256 {
    if (bytes.length() != LENGTH) {
      throw new IllegalArgumentException("a SHA-256 digest has 32 bytes, not " + bytes.length());
    }
  }

  /** Takes the next {@value #LENGTH} bytes out of a buffer. */
  static Sha256 take(ByteBuffer from) {
    return new Sha256(Bytes.take(from, LENGTH));
  }

  /** The digest of a buffer's remaining bytes; its position stays. */
  public static Sha256 of(ByteBuffer content) {
    MessageDigest digest = start();
    digest.update(content.duplicate());
    return finish(digest);
  }

  /**
   * Reads what {@link #hex} writes.
   *
   * @throws IllegalArgumentException if it is not 64 hexadecimal digits
   */
  public static Sha256 ofHex(String hex) {
    return new Sha256(Bytes.copyOf(HexFormat.of().parseHex(hex)));
  }

  static MessageDigest start() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  static Sha256 finish(MessageDigest digest) {
    return new Sha256(Bytes.copyOf(digest.digest()));
  }

  /** 64 lower-case hexadecimal digits. */
  public String hex() {
    return HexFormat.of().formatHex(bytes.toArray());
  }

  @Override
  public String toString() {
    return hex();
  }
}
