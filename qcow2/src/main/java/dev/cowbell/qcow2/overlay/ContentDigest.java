package dev.cowbell.qcow2.overlay;

import java.nio.ByteBuffer;
import java.security.DigestException;
import java.security.MessageDigest;

/**
 * Digests units of a disk's content: the first 128 bits of SHA-256. Whoever can make two contents
 * of one digest (2^64 attempts) loses changes of their own disk. Used by one thread at a time.
 */
public final class ContentDigest {

  /** The bytes of a digest. */
  public static final int LENGTH = 16;

  /** The largest unit, in bytes. */
  public static final int MAX_UNIT = 64 << 10;

  /** The smallest unit, in bytes. */
  public static final int MIN_UNIT = OverlaySpec.MIN_CLUSTER;

  private final MessageDigest digest = Sha256.start();
  private final byte[] whole = new byte[Sha256.LENGTH];

  /** The unit for overlays of a cluster size: a cluster, or {@value #MAX_UNIT} bytes of one. */
  public static int unitFor(int clusterSize) {
    return Math.min(clusterSize, MAX_UNIT);
  }

  /**
   * Digests the remaining bytes of a buffer, which are consumed.
   *
   * @param to gets the digest
   * @param at where in it
   */
  public void digest(ByteBuffer unit, byte[] to, int at) {
    digest.update(unit);
    try {
      digest.digest(whole, 0, whole.length);
    } catch (DigestException e) {
      throw new AssertionError("a SHA-256 digest has room in 32 bytes", e);
    }
    System.arraycopy(whole, 0, to, at, LENGTH);
  }
}
