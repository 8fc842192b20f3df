package dev.cowbell.agent.schedule;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * Due again and again at one distance. The due times are counted from midnight of Monday, 3 January
 * 2000, so that they do not depend on when an agent was started: {@code 1h} is due on the hour,
 * {@code 6h} at 0, 6, 12 and 18 o'clock of standard time, {@code 1w} on Mondays. Whole days keep to
 * midnight when the clocks change.
 *
 * @param every 1 minute to 366 days, in whole seconds
 * @param zone the zone whose midnight is meant
 */
public record IntervalTiming(Duration every, ZoneId zone) implements Timing {

  public static final Duration SHORTEST = Duration.ofMinutes(1);
  public static final Duration LONGEST = Duration.ofDays(366);

  private static final LocalDate ANCHOR = LocalDate.of(2000, 1, 3);

  public IntervalTiming {
    if (every.compareTo(SHORTEST) < 0
        || every.compareTo(LONGEST) > 0
        || !every.equals(every.truncatedTo(ChronoUnit.SECONDS))) {
      throw new IllegalArgumentException("must be 1m to 366d");
    }
  }

  @Override
  public Optional<Instant> after(Instant time) {
    return Optional.of(isWholeDays() ? midnightAfter(time) : multipleAfter(time));
  }

  private boolean isWholeDays() {
    return every.equals(Duration.ofDays(every.toDays()));
  }

  private Instant midnightAfter(Instant time) {
    long days = every.toDays();
    long passed = ANCHOR.until(time.atZone(zone).toLocalDate(), ChronoUnit.DAYS);
    LocalDate due = ANCHOR.plusDays(Math.floorDiv(passed, days) * days);
    Instant midnight = due.atStartOfDay(zone).toInstant();
    while (!midnight.isAfter(time)) {
      due = due.plusDays(days);
      midnight = due.atStartOfDay(zone).toInstant();
    }
    return midnight;
  }

  private Instant multipleAfter(Instant time) {
    Instant anchor = ANCHOR.atStartOfDay(zone).toInstant();
    long passed = Math.floorDiv(ChronoUnit.SECONDS.between(anchor, time), every.toSeconds());
    Instant due = anchor.plusSeconds(passed * every.toSeconds());
    return due.isAfter(time) ? due : due.plus(every);
  }

  @Override
  public String text() {
    return "every " + every;
  }

  @Override
  public String shown() {
    return "every " + shown(every);
  }

  /** A time such as {@code 1d2h}, as configurations have it. */
  public static String shown(Duration time) {
    String text =
        part(time.toDays(), "d")
            + part(time.toHoursPart(), "h")
            + part(time.toMinutesPart(), "m")
            + part(time.toSecondsPart(), "s");
    return text.isEmpty() ? "0s" : text;
  }

  private static String part(long count, String unit) {
    return count == 0 ? "" : count + unit;
  }
}
