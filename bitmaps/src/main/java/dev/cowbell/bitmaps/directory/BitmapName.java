package dev.cowbell.bitmaps.directory;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;

/**
 * Names between bytes and text, without loss. Names are meant to be UTF-8; a byte that is not so
 * becomes the lone surrogate {@code U+DC00 + byte}, so that a directory that is rewritten keeps the
 * names of bitmaps that nobody touched.
 */
final class BitmapName {

  private BitmapName() {}

  /** Like QEMU, ends the name at its first zero byte. */
  static String decode(ByteBuffer bytes) {
    ByteBuffer in = bytes.duplicate();
    for (int i = in.position(); i < in.limit(); i++) {
      if (in.get(i) == 0) {
        in.limit(i);
      }
    }
    CharBuffer text = CharBuffer.allocate(in.remaining());
    CharsetDecoder utf8 = StandardCharsets.UTF_8.newDecoder();
    while (true) {
      CoderResult result = utf8.decode(in, text, true);
      if (result.isUnderflow()) {
        return text.flip().toString();
      }
      for (int i = 0; i < result.length(); i++) {
        text.put((char) (0xDC00 | (in.get() & 0xFF)));
      }
    }
  }

  static byte[] encode(String name) {
    ByteBuffer out = ByteBuffer.allocate(3 * name.length());
    for (int i = 0; i < name.length(); ) {
      int codePoint = name.codePointAt(i);
      i += Character.charCount(codePoint);
      if (codePoint >= 0xDC80 && codePoint <= 0xDCFF) {
        out.put((byte) codePoint);
      } else {
        out.put(Character.toString(codePoint).getBytes(StandardCharsets.UTF_8));
      }
    }
    byte[] bytes = new byte[out.position()];
    out.flip().get(bytes);
    return bytes;
  }
}
