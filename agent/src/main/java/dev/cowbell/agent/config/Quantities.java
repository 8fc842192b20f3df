package dev.cowbell.agent.config;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations and sizes as the file has them. */
final class Quantities {

  static final String DURATION_PATTERN =
      "^(?=[0-9])([0-9]{1,4}w)?([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$";
  static final String RATE_PATTERN = "^[0-9]{1,12}[KMGT]?$";

  private static final Pattern DURATION = Pattern.compile(DURATION_PATTERN);
  private static final long[] UNIT_SECONDS = {7 * 86_400, 86_400, 3600, 60, 1};

  private Quantities() {}

  /**
   * Reads a duration such as {@code 90s}, {@code 1h30m} or {@code 2w}.
   *
   * @throws IllegalArgumentException saying what is allowed
   */
  static Duration duration(String text) {
    Matcher parts = DURATION.matcher(text);
    if (!parts.matches()) {
      throw new IllegalArgumentException(
          "must be numbers with w, d, h, m, s in this order, such as 90s, 10m or 1h30m");
    }
    long seconds = 0;
    for (int i = 0; i < UNIT_SECONDS.length; i++) {
      String part = parts.group(i + 1);
      if (part != null) {
        seconds += UNIT_SECONDS[i] * Long.parseLong(part.substring(0, part.length() - 1));
      }
    }
    return Duration.ofSeconds(seconds);
  }

  /** Reads a duration between {@code least} and {@code most}, both allowed. */
  static Duration duration(String text, Duration least, Duration most) {
    Duration duration = duration(text);
    if (duration.compareTo(least) < 0 || duration.compareTo(most) > 0) {
      throw new IllegalArgumentException("must be " + shown(least) + " to " + shown(most));
    }
    return duration;
  }

  private static String shown(Duration duration) {
    long seconds = duration.toSeconds();
    if (seconds > 0 && seconds % 86_400 == 0) {
      return seconds / 86_400 + "d";
    }
    if (seconds > 0 && seconds % 60 == 0) {
      return seconds / 60 + "m";
    }
    return seconds + "s";
  }

  /**
   * Reads bytes per second such as {@code 50M}; K, M, G and T are powers of 1024.
   *
   * @throws IllegalArgumentException saying what is allowed
   */
  static long bytesPerSecond(String text) {
    if (!text.matches(RATE_PATTERN)) {
      throw new IllegalArgumentException(
          "must be bytes per second: digits, then K, M, G or T, such as 50M");
    }
    int shift = 10 * ("KMGT".indexOf(text.charAt(text.length() - 1)) + 1);
    String digits = shift == 0 ? text : text.substring(0, text.length() - 1);
    long bytes = Math.multiplyExact(Long.parseLong(digits), 1L << shift);
    if (bytes < 64 * 1024 || bytes > 1L << 50) {
      throw new IllegalArgumentException("must be 64K to 1024T bytes per second");
    }
    return bytes;
  }
}
