package dev.cowbell.agent.cli;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;

/** Times as given on the command line: ISO 8601. */
final class Times {

  private Times() {}

  /**
   * Reads a time with an offset ({@code 2026-05-01T12:00:00Z}, {@code …+02:00}), or a local one
   * ({@code 2026-05-01T12:00}, {@code 2026-05-01}: its first moment).
   *
   * @param zone what a time without an offset means
   * @throws IllegalArgumentException with a message for the user
   */
  static Instant parse(String text, ZoneId zone) {
    try {
      var parsed =
          DateTimeFormatter.ISO_DATE_TIME.parseBest(
              text, OffsetDateTime::from, LocalDateTime::from);
      return parsed instanceof OffsetDateTime withOffset
          ? withOffset.toInstant()
          : ((LocalDateTime) parsed).atZone(zone).toInstant();
    } catch (DateTimeException _) {
      return startOfDay(text, zone);
    }
  }

  private static Instant startOfDay(String text, ZoneId zone) {
    try {
      return LocalDate.parse(text).atStartOfDay(zone).toInstant();
    } catch (DateTimeException e) {
      throw new IllegalArgumentException(
          "\"" + text + "\" is not a time: ISO 8601, such as 2026-05-01T12:00:00Z", e);
    }
  }
}
