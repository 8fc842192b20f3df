package dev.cowbell.qcow2.overlay;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Digests units of a disk's content: ChaCha20-Poly1305 (RFC 8439) of no message, the unit being its
 * additional data, the unit's place its nonce, and its key made of the repository's id. Two
 * contents have one digest by a chance below 2^-90, which a guest can't help, as it does not know
 * the id. It takes a fraction of the time of SHA-256. Used by one thread at a time.
 */
public final class ContentDigest {

  /** The bytes of a digest. */
  public static final int LENGTH = 16;

  /** The largest unit, in bytes. */
  public static final int MAX_UNIT = 64 << 10;

  /** The smallest unit, in bytes. */
  public static final int MIN_UNIT = OverlaySpec.MIN_CLUSTER;

  private static final String PURPOSE = "cowbell digests of ";
  private static final byte[] NOTHING = new byte[0];

  /** Many small calls get compiled, and so to the processor's wide instructions, within 10 MB. */
  private static final int PIECE = 2 << 10;

  private final Cipher cipher;
  private final SecretKeySpec key;
  private final ByteBuffer nonce = ByteBuffer.allocate(12);
  private final byte[] content = new byte[MAX_UNIT];
  private long last = -1;

  /**
   * @param repository the id of the repository in which digests are compared with each other
   */
  public ContentDigest(String repository) {
    byte[] secret =
        Sha256.of(ByteBuffer.wrap((PURPOSE + repository).getBytes(StandardCharsets.UTF_8)))
            .bytes()
            .toArray();
    key = new SecretKeySpec(secret, "ChaCha20");
    try {
      cipher = Cipher.getInstance("ChaCha20-Poly1305");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java platform has no ChaCha20-Poly1305", e);
    }
  }

  /** The unit for overlays of a cluster size: a cluster, or {@value #MAX_UNIT} bytes of one. */
  public static int unitFor(int clusterSize) {
    return Math.min(clusterSize, MAX_UNIT);
  }

  /**
   * Digests the remaining bytes of a buffer, which are consumed.
   *
   * @param offset of the unit in the disk, in bytes
   * @param unit {@value #MAX_UNIT} bytes at most
   * @param to gets the digest
   * @param at where in it
   */
  public void digest(long offset, ByteBuffer unit, byte[] to, int at) {
    int length = unit.remaining();
    // updateAAD is slow with buffers that are no arrays
    unit.get(content, 0, length);
    try {
      if (offset == last) {
        // a cipher refuses the same nonce twice in a row
        begin(~offset, length);
      }
      begin(offset, length);
      for (int i = 0; i < length; i += PIECE) {
        cipher.updateAAD(content, i, Math.min(PIECE, length - i));
      }
      cipher.doFinal(NOTHING, 0, 0, to, at);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("any key and nonce of their lengths will do", e);
    }
  }

  private void begin(long offset, int length) throws GeneralSecurityException {
    nonce.putInt(0, length).putLong(4, offset);
    cipher.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(nonce.array()));
    last = offset;
  }
}
