package dev.cowbell.agent.cli;

import java.math.BigDecimal;
import java.util.Locale;

/**
 * A number of bytes as given on the command line: digits, and one of K, M, G, T, P, E (powers of
 * 1024) behind them, optionally followed by B or iB. A fraction such as 1.5G is allowed before a
 * unit.
 *
 * @param bytes 0 or more
 */
public record ByteSize(long bytes) {

  private static final String UNITS = "KMGTPE";

  public ByteSize {
    if (bytes < 0) {
      throw new IllegalArgumentException("a size is not negative: " + bytes);
    }
  }

  /**
   * Reads a size.
   *
   * @throws IllegalArgumentException with a message for the user
   */
  public static ByteSize parse(String text) {
    String digits = text.strip().toUpperCase(Locale.ROOT);
    if (digits.endsWith("IB")
        && digits.length() > 2
        && isUnit(digits.charAt(digits.length() - 3))) {
      digits = digits.substring(0, digits.length() - 2);
    } else if (digits.endsWith("B")) {
      digits = digits.substring(0, digits.length() - 1);
    }
    int shift = 0;
    if (!digits.isEmpty() && isUnit(digits.charAt(digits.length() - 1))) {
      shift = 10 * (UNITS.indexOf(digits.charAt(digits.length() - 1)) + 1);
      digits = digits.substring(0, digits.length() - 1);
    }
    boolean fraction = shift > 0 && digits.matches("[0-9]{1,19}\\.[0-9]{1,9}");
    if (!fraction && !digits.matches("[0-9]{1,19}")) {
      throw new IllegalArgumentException(
          "\"" + text + "\" is not a size: digits, then K, M, G or T, such as 64K or 20G");
    }
    try {
      BigDecimal bytes = new BigDecimal(digits).multiply(BigDecimal.valueOf(1L << shift));
      return new ByteSize(bytes.toBigInteger().longValueExact());
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "\"" + text + "\" is too large a size: at most 8E - 1 byte", e);
    }
  }

  private static boolean isUnit(char c) {
    return UNITS.indexOf(c) >= 0;
  }

  /** A size for people, as qemu-img writes it: three significant digits and a unit. */
  public static String human(long bytes) {
    String[] units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = bytes;
    int unit = 0;
    while (value >= 1000 && unit < units.length - 1) {
      value /= 1024;
      unit++;
    }
    return threeDigits(value) + " " + units[unit];
  }

  /** Not by BigDecimal, whose first use takes longer than all else that an option needs. */
  private static String threeDigits(double value) {
    double scale = value >= 100 ? 1 : value >= 10 ? 10 : value >= 1 ? 100 : 1000;
    String rounded = Double.toString(Math.rint(value * scale) / scale);
    return rounded.endsWith(".0") ? rounded.substring(0, rounded.length() - 2) : rounded;
  }

  @Override
  public String toString() {
    return human(bytes);
  }
}
