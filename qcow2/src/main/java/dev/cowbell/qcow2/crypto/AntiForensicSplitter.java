package dev.cowbell.qcow2.crypto;

import java.security.DigestException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;

/**
 * Spreads a key over many stripes, all of which are needed to get it back, so that destroying any
 * sector of a key slot destroys the slot (LUKS 1 on-disk format, "Anti-forensic information
 * splitting").
 */
final class AntiForensicSplitter {

  /** The only number of stripes there is in LUKS 1. */
  static final int STRIPES = 4000;

  private final HashAlgorithm hash;
  private final MessageDigest digest;

  AntiForensicSplitter(HashAlgorithm hash) {
    this.hash = hash;
    this.digest = hash.newDigest();
  }

  /** The stripes of a key: {@link #STRIPES} times as many bytes. */
  byte[] split(byte[] key, SecureRandom random) {
    int last = key.length * (STRIPES - 1);
    byte[] stripes = new byte[key.length * STRIPES];
    random.nextBytes(stripes);
    byte[] state = diffuseAllButLast(stripes, key.length);
    for (int i = 0; i < key.length; i++) {
      stripes[last + i] = (byte) (state[i] ^ key[i]);
    }
    Arrays.fill(state, (byte) 0);
    return stripes;
  }

  /** The key that stripes were made of. */
  byte[] merge(byte[] stripes) {
    int length = stripes.length / STRIPES;
    byte[] key = diffuseAllButLast(stripes, length);
    xor(key, stripes, length * (STRIPES - 1));
    return key;
  }

  private byte[] diffuseAllButLast(byte[] stripes, int length) {
    byte[] state = new byte[length];
    for (int stripe = 0; stripe < STRIPES - 1; stripe++) {
      xor(state, stripes, stripe * length);
      diffuse(state);
    }
    return state;
  }

  private void diffuse(byte[] state) {
    byte[] number = new byte[Integer.BYTES];
    byte[] hashed = new byte[hash.digestLength()];
    for (int at = 0, block = 0; at < state.length; at += hashed.length, block++) {
      int length = Math.min(hashed.length, state.length - at);
      number[Integer.BYTES - 1] = (byte) block;
      digest.update(number);
      digest.update(state, at, length);
      try {
        digest.digest(hashed, 0, hashed.length);
      } catch (DigestException e) {
        throw new IllegalStateException("the JDK's hashes digest in place", e);
      }
      System.arraycopy(hashed, 0, state, at, length);
    }
  }

  private static void xor(byte[] state, byte[] stripes, int at) {
    for (int i = 0; i < state.length; i++) {
      state[i] ^= stripes[at + i];
    }
  }
}
