package dev.cowbell.agent.diskio;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers in qemu-io's notation. */
final class IoNumbers {

  /** The longest request: as many whole sectors as fit into 31 bits. */
  static final long MAX_REQUEST = Integer.MAX_VALUE & -512L;

  private static final String UNITS = "BKMGTPE";
  private static final Pattern DECIMAL =
      Pattern.compile("([0-9]{1,30})(\\.[0-9]{0,30})?([bkmgtpe]?)");
  private static final Pattern HEX = Pattern.compile("0x([0-9a-f]{1,30})([kmgtp]?)");
  private static final BigInteger LIMIT = BigInteger.ONE.shiftLeft(63);

  private IoNumbers() {}

  /**
   * A number of bytes: decimal, with a unit of powers of 1024 and then perhaps a fraction, or
   * hexadecimal behind {@code 0x}.
   */
  static long bytes(String text) throws IoCommandException {
    String lower = text.toLowerCase(Locale.ROOT);
    BigDecimal number;
    String unit;
    Matcher hex = HEX.matcher(lower);
    Matcher decimal = DECIMAL.matcher(lower);
    if (hex.matches()) {
      number = new BigDecimal(new BigInteger(hex.group(1), 16));
      unit = hex.group(2);
    } else if (decimal.matches()) {
      unit = decimal.group(3);
      String fraction = decimal.group(2);
      if (fraction != null && isByteCount(unit) && hasFraction(fraction)) {
        throw notNumeric(text);
      }
      number =
          new BigDecimal(
              decimal.group(1) + (fraction == null || fraction.length() < 2 ? "" : fraction));
    } else {
      throw notNumeric(text);
    }
    int shift = unit.isEmpty() ? 0 : 10 * UNITS.indexOf(unit.toUpperCase(Locale.ROOT));
    BigInteger bytes =
        number.multiply(new BigDecimal(BigInteger.ONE.shiftLeft(shift))).toBigInteger();
    if (bytes.compareTo(LIMIT) >= 0) {
      throw IoCommandException.of("Parsing error: argument too large -- " + text);
    }
    return bytes.longValueExact();
  }

  private static boolean isByteCount(String unit) {
    return unit.isEmpty() || unit.equals("b");
  }

  private static boolean hasFraction(String fraction) {
    return fraction.chars().anyMatch(c -> c >= '1' && c <= '9');
  }

  private static IoCommandException notNumeric(String text) {
    return IoCommandException.of(
        "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- " + text);
  }

  /** The length of one request. */
  static int length(String text) throws IoCommandException {
    long length = bytes(text);
    if (length > MAX_REQUEST) {
      throw IoCommandException.of("length cannot exceed " + MAX_REQUEST + ", given " + text);
    }
    return (int) length;
  }

  /** A byte to fill or to compare with, in C's notation. */
  static byte pattern(String text) throws IoCommandException {
    long value = number(text);
    if (value < 0 || value > 255) {
      throw IoCommandException.of(text + " is not a valid pattern byte");
    }
    return (byte) value;
  }

  /** A number of milliseconds, in C's notation. */
  static long millis(String text) throws IoCommandException {
    long value = number(text);
    if (value < 0) {
      throw IoCommandException.of(text + " is not a valid number");
    }
    return value;
  }

  /** A number as C's strtol reads it with base 0, or -1. */
  private static long number(String text) {
    String lower = text.toLowerCase(Locale.ROOT);
    boolean hex = lower.startsWith("0x");
    boolean octal = !hex && lower.length() > 1 && lower.startsWith("0");
    try {
      return hex
          ? Long.parseLong(lower, 2, lower.length(), 16)
          : Long.parseLong(lower, octal ? 8 : 10);
    } catch (NumberFormatException e) {
      return -1;
    }
  }
}
