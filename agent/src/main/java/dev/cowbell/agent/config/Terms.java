package dev.cowbell.agent.config;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.ZoneId;
import java.util.OptionalLong;
import java.util.function.Function;

/** How the things that many sections speak of are written: names, times, rates, paths. */
final class Terms {

  static final String NAME_PATTERN = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$";
  static final String NAME_ALLOWED =
      "must be 1 to 128 characters of A-Z a-z 0-9 . _ -, the first no dot";
  private static final int MAX_CONCURRENCY = 256;
  static final Duration DAY = Duration.ofDays(1);

  static final Shape<Path> ABSOLUTE_PATH = Shapes.text("^/", Terms::absolutePath);
  static final Shape<ZoneId> ZONE = Shapes.text("", Terms::zone);
  static final Shape<Long> RATE = Shapes.text(Quantities.RATE_PATTERN, Quantities::bytesPerSecond);
  static final Shape<Integer> CONCURRENCY = Shapes.integer(1, MAX_CONCURRENCY);

  static final String LOOPBACK_PATTERN =
      "^(127\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}|\\[::1\\]|localhost):[0-9]{1,5}$";

  private Terms() {}

  /** A loopback address with its port; no name server is asked. */
  static InetSocketAddress loopback(String text) {
    int colon = text.lastIndexOf(':');
    if (text.matches(LOOPBACK_PATTERN)) {
      String host = text.substring(0, colon);
      int port = Integer.parseInt(text.substring(colon + 1));
      try {
        InetAddress address =
            host.equals("localhost")
                ? InetAddress.getByAddress(host, new byte[] {127, 0, 0, 1})
                : InetAddress.ofLiteral(host);
        if (port <= 65535 && address.isLoopbackAddress()) {
          return new InetSocketAddress(address, port);
        }
      } catch (UnknownHostException | IllegalArgumentException e) {
        throw new IllegalArgumentException("must be a loopback address and a port", e);
      }
    }
    throw new IllegalArgumentException(
        "must be a loopback address and a port, such as 127.0.0.1:9180 (who is served is not asked"
            + " for a password)");
  }

  static OptionalLong rate(Fields fields, Key<Long> key) {
    return fields.at(key).map(OptionalLong::of).orElseGet(OptionalLong::empty);
  }

  static Shape<Duration> duration(Duration least, Duration most) {
    return Shapes.text(Quantities.DURATION_PATTERN, text -> Quantities.duration(text, least, most));
  }

  static <T> Shape<T> named(String pattern, String allowed, Function<String, T> make) {
    return Shapes.text(pattern, checked(pattern, allowed, make));
  }

  static <T> Function<String, T> checked(String pattern, String allowed, Function<String, T> make) {
    return text -> {
      if (!text.matches(pattern)) {
        throw new IllegalArgumentException(allowed);
      }
      return make.apply(text);
    };
  }

  private static Path absolutePath(String text) {
    try {
      if (text.startsWith("/") && text.length() <= 4096) {
        return Path.of(text);
      }
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("must be an absolute path: " + e.getReason(), e);
    }
    throw new IllegalArgumentException("must be an absolute path");
  }

  private static ZoneId zone(String text) {
    try {
      return ZoneId.of(text);
    } catch (DateTimeException e) {
      throw new IllegalArgumentException(
          "must be a time zone such as Europe/Vienna or UTC"
              + Suggestion.hint(text, ZoneId.getAvailableZoneIds()),
          e);
    }
  }
}
