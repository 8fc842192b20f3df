package dev.cowbell.agent.diskio;

import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Prints results in qemu-io's lines. */
final class IoReport {

  private static final int DUMP_WIDTH = 16;
  private static final String UNITS = "KMGTPE";

  private final PrintStream out;

  IoReport(PrintStream out) {
    this.out = out;
  }

  void line(String line) {
    out.println(line);
  }

  /**
   * Says what a request did and how fast.
   *
   * @param nanos how long it took
   * @param machine whether a program is to read it
   */
  void done(String verb, long at, long length, long nanos, boolean machine) {
    double seconds = Math.max(1, TimeUnit.NANOSECONDS.toMicros(nanos)) / 1e6;
    long whole = (long) seconds;
    int hundredths = (int) ((seconds - whole) * 100);
    String clock =
        String.format(
            Locale.ROOT,
            "%d:%02d:%02d.%02d",
            whole / 3600,
            whole % 3600 / 60,
            whole % 60,
            hundredths);
    if (machine) {
      line(
          String.format(
              Locale.ROOT, "%d,1,%s,%.3f,%.3f", length, clock, length / seconds, 1 / seconds));
      return;
    }
    String time =
        whole == 0 ? String.format(Locale.ROOT, "%02d.%02d sec", whole, hundredths) : clock;
    line(String.format(Locale.ROOT, "%s %d/%d bytes at offset %d", verb, length, length, at));
    line(
        String.format(
            Locale.ROOT,
            "%s, 1 ops; %s (%s/sec and %.4f ops/sec)",
            size(length),
            time,
            size(length / seconds),
            1 / seconds));
  }

  static String size(long bytes) {
    return size((double) bytes);
  }

  /** A number of bytes with three decimals, unless these are zeroes, and a unit. */
  private static String size(double bytes) {
    double value = bytes;
    int unit = -1;
    while (value >= 1024 && unit < UNITS.length() - 1) {
      value /= 1024;
      unit++;
    }
    // Bytes are printed with six decimals and cut off at ".000" as well.
    String number = String.format(Locale.ROOT, unit < 0 ? "%.6f" : "%.3f", value);
    int zeroes = number.indexOf(".000");
    return (zeroes < 0 ? number : number.substring(0, zeroes))
        + (unit < 0 ? " bytes" : " " + UNITS.charAt(unit) + "iB");
  }

  /** Prints bytes in hex and, where they are letters or digits, as text. */
  void dump(ByteBuffer bytes, long at) {
    for (int row = 0; row < bytes.limit(); row += DUMP_WIDTH) {
      StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "%08x:  ", at + row));
      StringBuilder text = new StringBuilder();
      for (int i = row; i < Math.min(row + DUMP_WIDTH, bytes.limit()); i++) {
        int octet = bytes.get(i) & 0xFF;
        line.append(String.format(Locale.ROOT, "%02x ", octet));
        text.append(octet < 128 && Character.isLetterOrDigit(octet) ? (char) octet : '.');
      }
      line(line.append(' ').append(text).toString());
    }
  }
}
