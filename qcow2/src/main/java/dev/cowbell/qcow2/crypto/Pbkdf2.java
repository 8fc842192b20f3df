package dev.cowbell.qcow2.crypto;

import java.security.DigestException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;

/**
 * PBKDF2 over HMAC (RFC 8018, section 5.2).
 *
 * <p>The two hash states that every HMAC starts from are computed once and cloned, which halves the
 * work that {@code javax.crypto.Mac} does per round.
 */
final class Pbkdf2 {
  private static final byte INNER_PAD = 0x36;
  private static final byte OUTER_PAD = 0x5c;

  private final HashAlgorithm hash;
  private final MessageDigest inner;
  private final MessageDigest outer;

  private Pbkdf2(HashAlgorithm hash, byte[] password) {
    this.hash = hash;
    this.inner = hash.newDigest();
    this.outer = hash.newDigest();
    byte[] key =
        password.length > hash.blockLength() ? hash.newDigest().digest(password) : password;
    byte[] block = Arrays.copyOf(key, hash.blockLength());
    xor(block, INNER_PAD);
    inner.update(block);
    xor(block, (byte) (INNER_PAD ^ OUTER_PAD));
    outer.update(block);
    Arrays.fill(block, (byte) 0);
  }

  /**
   * Derives a key.
   *
   * @param iterations at least 1
   * @param length the bytes of the key
   */
  static byte[] derive(
      HashAlgorithm hash, byte[] password, byte[] salt, long iterations, int length) {
    if (iterations < 1) {
      throw new IllegalArgumentException(iterations + " iterations");
    }
    return new Pbkdf2(hash, password).key(salt, iterations, length);
  }

  /** The rounds of HMAC that each iteration of a derivation takes. */
  static int roundsPerIteration(HashAlgorithm hash, int length) {
    return Math.ceilDiv(length, hash.digestLength());
  }

  /**
   * Measures how many iterations of a derivation this machine does in a second.
   *
   * @param measured how long at least to measure: what is short leaves the compiler no time
   */
  static long iterationsPerSecond(HashAlgorithm hash, int length, Duration measured) {
    Pbkdf2 trial = new Pbkdf2(hash, new byte[hash.digestLength()]);
    byte[] salt = new byte[hash.digestLength()];
    long iterations = 1 << 12;
    while (true) {
      long start = System.nanoTime();
      trial.key(salt, iterations, length);
      long nanos = Math.max(1, System.nanoTime() - start);
      if (nanos >= measured.toNanos()) {
        return Math.max(1, (long) (iterations * 1e9 / nanos));
      }
      iterations *= 2;
    }
  }

  private byte[] key(byte[] salt, long iterations, int length) {
    byte[] key = new byte[length];
    byte[] block = new byte[hash.digestLength()];
    try {
      for (int at = 0, number = 1; at < length; at += block.length, number++) {
        block(salt, number, iterations, block);
        System.arraycopy(block, 0, key, at, Math.min(block.length, length - at));
      }
    } catch (DigestException | CloneNotSupportedException e) {
      throw new IllegalStateException("the JDK's hashes clone and digest in place", e);
    }
    Arrays.fill(block, (byte) 0);
    return key;
  }

  private void block(byte[] salt, int number, long iterations, byte[] sum)
      throws DigestException, CloneNotSupportedException {
    byte[] numbered = Arrays.copyOf(salt, salt.length + Integer.BYTES);
    for (int i = 0; i < Integer.BYTES; i++) {
      numbered[salt.length + i] = (byte) (number >>> (24 - 8 * i));
    }
    byte[] round = new byte[sum.length];
    hmac(numbered, round);
    System.arraycopy(round, 0, sum, 0, sum.length);
    for (long i = 1; i < iterations; i++) {
      hmac(round, round);
      for (int k = 0; k < sum.length; k++) {
        sum[k] ^= round[k];
      }
    }
    Arrays.fill(round, (byte) 0);
  }

  private void hmac(byte[] message, byte[] out) throws DigestException, CloneNotSupportedException {
    MessageDigest digest = (MessageDigest) inner.clone();
    digest.update(message, 0, message.length);
    digest.digest(out, 0, out.length);
    digest = (MessageDigest) outer.clone();
    digest.update(out, 0, out.length);
    digest.digest(out, 0, out.length);
  }

  private static void xor(byte[] block, byte with) {
    for (int i = 0; i < block.length; i++) {
      block[i] ^= with;
    }
  }
}
