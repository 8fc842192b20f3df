package dev.cowbell.agent.retention;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.Period;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A span of calendar time such as {@code 30d}, {@code 1y6mo} or {@code 36h}. Years, months, weeks
 * and days are the calendar's, so that {@code 1d} before noon is noon, also when the clocks changed
 * in between.
 *
 * @param dates years, months and days, none negative
 * @param hours whole hours, not negative
 */
public record CalendarSpan(Period dates, Duration hours) {

  /** What {@link #parse} accepts, for error messages. */
  public static final String ALLOWED =
      "numbers with y, mo, w, d, h in this order, such as 30d, 1y6mo or 36h";

  /** The same as a regular expression, for schemas. */
  public static final String PATTERN =
      "^(?=[0-9])([0-9]{1,3}y)?([0-9]{1,4}mo)?([0-9]{1,4}w)?([0-9]{1,5}d)?([0-9]{1,6}h)?$";

  private static final LocalDate LEAP_CYCLE = LocalDate.of(2000, 1, 1);

  private static final Pattern SPAN = Pattern.compile(PATTERN);

  public CalendarSpan {
    if (dates.isNegative()
        || hours.isNegative()
        || (dates.isZero() && hours.isZero())
        || !hours.equals(Duration.ofHours(hours.toHours()))) {
      throw new IllegalArgumentException(
          "a span must be longer than zero and in whole hours, found " + dates + " " + hours);
    }
  }

  /**
   * Reads a span.
   *
   * @throws IllegalArgumentException saying what is allowed
   */
  public static CalendarSpan parse(String text) {
    Matcher parts = SPAN.matcher(text);
    if (text.length() > 40 || !parts.matches()) {
      throw new IllegalArgumentException("must be " + ALLOWED);
    }
    Period dates =
        Period.of(
            number(parts, 1),
            number(parts, 2),
            Math.addExact(7 * number(parts, 3), number(parts, 4)));
    Duration hours = Duration.ofHours(number(parts, 5));
    if (dates.isZero() && hours.isZero()) {
      throw new IllegalArgumentException("must be longer than zero");
    }
    return new CalendarSpan(dates, hours);
  }

  private static int number(Matcher parts, int group) {
    String digits = parts.group(group);
    return digits == null ? 0 : Integer.parseInt(digits.replaceAll("\\D", ""));
  }

  /** The instant this span before {@code time}, counted on the calendar of {@code zone}. */
  public Instant before(Instant time, ZoneId zone) {
    return time.atZone(zone).minus(dates).toInstant().minus(hours);
  }

  /**
   * The longer of this and another span.
   *
   * @return empty if that depends on the months at hand, as for {@code 30d} and {@code 1mo}
   */
  public Optional<CalendarSpan> longest(CalendarSpan other) {
    boolean mayBeShorter = false;
    boolean mayBeLonger = false;
    for (LocalDate day : LEAP_CYCLE.datesUntil(LEAP_CYCLE.plusYears(4)).toList()) {
      Instant noon = day.atTime(LocalTime.NOON).toInstant(ZoneOffset.UTC);
      int order = other.before(noon, ZoneOffset.UTC).compareTo(before(noon, ZoneOffset.UTC));
      mayBeShorter |= order < 0;
      mayBeLonger |= order > 0;
    }
    return mayBeShorter && mayBeLonger
        ? Optional.empty()
        : Optional.of(mayBeShorter ? other : this);
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    append(text, dates.getYears(), "y");
    append(text, dates.getMonths(), "mo");
    append(text, dates.getDays(), "d");
    append(text, hours.toHours(), "h");
    return text.toString();
  }

  private static void append(StringBuilder text, long number, String unit) {
    if (number > 0) {
      text.append(number).append(unit);
    }
  }
}
