package dev.cowbell.qcow2.crypto;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A passphrase in memory until it is closed; closing overwrites it.
 *
 * <p>A passphrase is what QEMU's {@code secret} object takes: any number of bytes that are UTF-8
 * without NUL. The same passphrase may open several images and is not closed by them.
 */
public final class Passphrase implements AutoCloseable {

  /** The bytes of the longest passphrase. */
  public static final int MAX_LENGTH = 64 << 10;

  private static final int MAX_BYTES_PER_CHAR = 3;

  private final byte[] bytes;
  private volatile boolean closed;

  private Passphrase(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * Takes over an array, which is overwritten on closing.
   *
   * @throws IllegalArgumentException if QEMU would refuse the bytes; they are overwritten then too
   */
  public static Passphrase adopt(byte[] bytes) {
    String fault = faultOf(bytes);
    if (!fault.isEmpty()) {
      Arrays.fill(bytes, (byte) 0);
      throw new IllegalArgumentException("the passphrase " + fault);
    }
    return new Passphrase(bytes);
  }

  /**
   * Copies what a user typed. The array stays the caller's to overwrite.
   *
   * @throws IllegalArgumentException if QEMU would refuse the passphrase
   */
  public static Passphrase of(char[] typed) {
    ByteBuffer encoded = ByteBuffer.allocate(typed.length * MAX_BYTES_PER_CHAR);
    boolean whole =
        !StandardCharsets.UTF_8
            .newEncoder()
            .encode(CharBuffer.wrap(typed), encoded, true)
            .isError();
    byte[] bytes = Arrays.copyOf(encoded.array(), encoded.position());
    Arrays.fill(encoded.array(), (byte) 0);
    if (!whole) {
      Arrays.fill(bytes, (byte) 0);
      throw new IllegalArgumentException("the passphrase is not valid Unicode");
    }
    return adopt(bytes);
  }

  /**
   * Reads a file as QEMU's {@code --object secret,file=} does: every byte counts, a newline at the
   * end too. (Make such files with {@code printf}, not with {@code echo}.)
   *
   * @throws IOException if the file can't be read, is longer than {@link #MAX_LENGTH}, or holds
   *     what QEMU would refuse
   */
  public static Passphrase readFile(Path file) throws IOException {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(MAX_LENGTH + 1);
    }
    try {
      return adopt(bytes);
    } catch (IllegalArgumentException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  /** The passphrase itself, not a copy: to be read while it isn't closed. */
  byte[] bytes() {
    if (closed) {
      throw new IllegalStateException("the passphrase is closed");
    }
    return bytes;
  }

  /** What a user may have overlooked in a passphrase that doesn't fit; may be empty. */
  String hint() {
    boolean newline = bytes.length > 0 && bytes[bytes.length - 1] == '\n';
    return newline ? " (it ends with a newline, which counts)" : "";
  }

  @Override
  public void close() {
    closed = true;
    Arrays.fill(bytes, (byte) 0);
  }

  @Override
  public String toString() {
    return "Passphrase";
  }

  private static String faultOf(byte[] bytes) {
    if (bytes.length > MAX_LENGTH) {
      return "is longer than " + MAX_LENGTH + " bytes";
    }
    for (byte b : bytes) {
      if (b == 0) {
        return "contains a NUL byte, allowed is UTF-8 text";
      }
    }
    CharBuffer text = CharBuffer.allocate(bytes.length);
    boolean valid =
        !StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes), text, true).isError();
    Arrays.fill(text.array(), '\0');
    return valid ? "" : "is not valid UTF-8";
  }
}
