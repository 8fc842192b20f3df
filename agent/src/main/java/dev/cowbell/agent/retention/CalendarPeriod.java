package dev.cowbell.agent.retention;

import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.time.temporal.IsoFields;
import java.util.Locale;

/**
 * A calendar period of which one point each is kept. The period an instant falls into depends on
 * the time zone: a day has 23 or 25 hours when the clocks change, and the hour that then comes
 * twice is two hours.
 */
public enum CalendarPeriod {
  HOURLY,
  DAILY,
  /** ISO weeks: they begin on Monday, and belong to the year their Thursday lies in. */
  WEEKLY,
  MONTHLY,
  YEARLY;

  private static final DateTimeFormatter HOUR =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HHxxx", Locale.ROOT);
  private static final DateTimeFormatter MONTH =
      DateTimeFormatter.ofPattern("uuuu-MM", Locale.ROOT);
  private static final DateTimeFormatter YEAR = DateTimeFormatter.ofPattern("uuuu", Locale.ROOT);

  /** The period that holds {@code time} in {@code zone}; equal strings mean the same period. */
  public String of(Instant time, ZoneId zone) {
    OffsetDateTime local = time.atZone(zone).toOffsetDateTime();
    return switch (this) {
      case HOURLY -> HOUR.format(local.truncatedTo(ChronoUnit.HOURS));
      case DAILY -> local.toLocalDate().toString();
      case WEEKLY ->
          String.format(
              Locale.ROOT,
              "%d-W%02d",
              local.get(IsoFields.WEEK_BASED_YEAR),
              local.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
      case MONTHLY -> MONTH.format(local);
      case YEARLY -> YEAR.format(local);
    };
  }

  /** The name users write: {@code hourly}, {@code daily}, … */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
