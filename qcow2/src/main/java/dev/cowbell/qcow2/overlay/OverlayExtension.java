package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.HeaderExtension;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The private header extension that makes a qcow2 image an overlay of ours. QEMU ignores it.
 *
 * @param version {@link #WRITTEN} or {@link #MERGED}
 * @param tableOffset where the integrity table is in the object
 * @param tableLength its bytes
 * @param tableDigest of those bytes
 * @param identity whose content the overlay holds
 */
record OverlayExtension(
    int version, long tableOffset, int tableLength, Sha256 tableDigest, OverlayIdentity identity) {

  /** The extension's type: "Cbel". */
  static final int TYPE = 0x4362656c;

  /** The format of what was written front to back: frames in guest order, nothing between them. */
  static final int WRITTEN = 1;

  /** The format of what was merged: frames in any order, dead bytes between them. */
  static final int MERGED = 2;

  private static final int FIXED = 4 + 4 + 8 + Sha256.LENGTH;

  HeaderExtension encode() {
    byte[][] parts = {
      identity.repository().getBytes(StandardCharsets.UTF_8),
      identity.vm().getBytes(StandardCharsets.UTF_8),
      identity.disk().getBytes(StandardCharsets.UTF_8),
      identity.point().getBytes(StandardCharsets.UTF_8)
    };
    int length = FIXED;
    for (byte[] part : parts) {
      length += 2 + part.length;
    }
    ByteBuffer payload = ByteBuffer.allocate(length);
    payload.putInt(version).putInt(tableLength).putLong(tableOffset);
    payload.put(tableDigest.bytes().buffer());
    for (byte[] part : parts) {
      payload.putShort((short) part.length).put(part);
    }
    return new HeaderExtension.Unknown(TYPE, Bytes.copyOf(payload.array()));
  }

  /**
   * Reads the extension's payload.
   *
   * @throws UnsupportedFeatureException if it is of another format version
   * @throws CorruptImageException if it isn't as {@link #encode} makes it
   */
  static OverlayExtension decode(Bytes payload)
      throws CorruptImageException, UnsupportedFeatureException {
    ByteBuffer from = payload.buffer();
    if (from.remaining() < FIXED) {
      throw new CorruptImageException(
          "the overlay extension has %d bytes, needed are at least %d"
              .formatted(from.remaining(), FIXED));
    }
    int version = from.getInt();
    if (version != WRITTEN && version != MERGED) {
      throw new UnsupportedFeatureException(
          "the overlay has format version %d, readable are %d and %d"
              .formatted(version, WRITTEN, MERGED));
    }
    int tableLength = from.getInt();
    long tableOffset = from.getLong();
    Sha256 tableDigest = Sha256.take(from);
    if (tableLength < 0
        || tableLength > IntegrityTable.MAX_BYTES
        || tableLength % Seal.LENGTH != 0) {
      throw new CorruptImageException(
          "the integrity table has %d bytes, allowed are multiples of %d up to %d"
              .formatted(tableLength, Seal.LENGTH, IntegrityTable.MAX_BYTES));
    }
    OverlayIdentity identity = new OverlayIdentity(part(from), part(from), part(from), part(from));
    return new OverlayExtension(version, tableOffset, tableLength, tableDigest, identity);
  }

  private static String part(ByteBuffer from) throws CorruptImageException {
    int length = from.remaining() < 2 ? -1 : from.getShort() & 0xffff;
    if (length < 0 || length > Math.min(from.remaining(), OverlayIdentity.MAX_PART)) {
      throw new CorruptImageException(
          "a part of the overlay's identity has %d bytes, there are %d"
              .formatted(length, from.remaining()));
    }
    String part = Bytes.take(from, length).text();
    if (part.getBytes(StandardCharsets.UTF_8).length != length) {
      throw new CorruptImageException("a part of the overlay's identity is no text");
    }
    return part;
  }
}
