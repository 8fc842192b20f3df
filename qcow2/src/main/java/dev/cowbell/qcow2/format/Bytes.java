package dev.cowbell.qcow2.format;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;

/** An immutable run of bytes, kept exactly as it was found in an image. */
public final class Bytes {
  public static final Bytes EMPTY = new Bytes(new byte[0]);

  private final byte[] content;

  private Bytes(byte[] content) {
    this.content = content;
  }

  public static Bytes copyOf(byte[] content) {
    return content.length == 0 ? EMPTY : new Bytes(content.clone());
  }

  /** The UTF-8 form of a text. */
  public static Bytes utf8(String text) {
    return copyOf(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Takes the next {@code length} bytes out of a buffer. */
  public static Bytes take(ByteBuffer from, int length) {
    byte[] content = new byte[length];
    from.get(content);
    return length == 0 ? EMPTY : new Bytes(content);
  }

  public int length() {
    return content.length;
  }

  public byte get(int index) {
    return content[index];
  }

  /** A read-only view, big-endian, from the first byte to the last. */
  public ByteBuffer buffer() {
    return ByteBuffer.wrap(content).asReadOnlyBuffer();
  }

  public byte[] toArray() {
    return content.clone();
  }

  /**
   * The text these bytes spell in UTF-8, up to the first NUL as QEMU reads it; what is not UTF-8
   * becomes U+FFFD.
   */
  public String text() {
    int end = 0;
    while (end < content.length && content[end] != 0) {
      end++;
    }
    return new String(content, 0, end, StandardCharsets.UTF_8);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Bytes bytes && Arrays.equals(content, bytes.content);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(content);
  }

  @Override
  public String toString() {
    int shown = Math.min(content.length, 32);
    String hex = HexFormat.of().formatHex(content, 0, shown);
    return content.length + " bytes " + hex + (shown < content.length ? "…" : "");
  }
}
