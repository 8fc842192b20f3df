package dev.cowbell.storage;

import java.nio.charset.StandardCharsets;

/**
 * The name of an object inside a store: segments of {@code [A-Za-z0-9._-]} joined by single
 * slashes. No segment is empty, begins with a dot, or is longer than 255 bytes; the whole is at
 * most 900 bytes. So a key is safe as a relative path and as an S3 key alike.
 */
public record ObjectKey(String value) implements Comparable<ObjectKey> {

  private static final int MAX_LENGTH = 900;
  private static final int MAX_SEGMENT = 255;

  public ObjectKey {
    String problem = problem(value);
    if (problem != null) {
      throw new IllegalArgumentException("not an object key: \"" + shown(value) + "\": " + problem);
    }
  }

  /**
   * Checks what a listing may be asked for: empty, or the beginning of a key.
   *
   * @return {@code prefix}
   */
  public static String requirePrefix(String prefix) {
    if (!prefix.isEmpty()) {
      var _ =
          new ObjectKey(prefix.endsWith("/") ? prefix.substring(0, prefix.length() - 1) : prefix);
    }
    return prefix;
  }

  /** Whether {@code value} is an object key. */
  public static boolean isKey(String value) {
    return problem(value) == null;
  }

  private static @org.jspecify.annotations.Nullable String problem(String value) {
    if (value.isEmpty() || value.length() > MAX_LENGTH) {
      return "must be 1 to " + MAX_LENGTH + " characters";
    }
    int segment = 0;
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '/') {
        if (segment == 0) {
          return "has an empty segment";
        }
        segment = 0;
        continue;
      }
      if (c == '.' && segment == 0) {
        return "has a segment that begins with a dot";
      }
      if (!isAllowed(c)) {
        return "may hold only A-Z a-z 0-9 . _ - and /";
      }
      if (++segment > MAX_SEGMENT) {
        return "has a segment longer than " + MAX_SEGMENT + " characters";
      }
    }
    return segment == 0 ? "ends with a slash" : null;
  }

  private static boolean isAllowed(char c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || c == '.'
        || c == '_'
        || c == '-';
  }

  private static String shown(String value) {
    String cut = value.length() > 80 ? value.substring(0, 80) + "…" : value;
    return new String(cut.getBytes(StandardCharsets.US_ASCII), StandardCharsets.US_ASCII)
        .replaceAll("\\p{Cntrl}", "?");
  }

  @Override
  public int compareTo(ObjectKey other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
