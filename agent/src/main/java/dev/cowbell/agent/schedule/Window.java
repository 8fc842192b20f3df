package dev.cowbell.agent.schedule;

import java.time.DayOfWeek;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A time of day in which runs may start, such as {@code 22:00-06:00} or {@code mon-fri
 * 20:00-24:00}. A window that ends at or before its beginning ends on the next day; its days are
 * those on which it begins.
 *
 * @param days the days on which it begins
 * @param from when it begins
 * @param to when it ends; midnight is the end of the day
 */
public record Window(Set<DayOfWeek> days, LocalTime from, LocalTime to) {

  /** What {@link #parse} accepts, for error messages. */
  public static final String ALLOWED =
      "HH:MM-HH:MM, perhaps with days before it, such as 22:00-06:00 or mon-fri 20:00-24:00";

  /** The same as a regular expression, for schemas. */
  public static final String PATTERN =
      "^([A-Za-z]{3}([,-][A-Za-z]{3})* +)?"
          + "([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";

  private static final Pattern WINDOW =
      Pattern.compile("(?:([A-Za-z,-]+) +)?(\\d\\d:\\d\\d)-(\\d\\d:\\d\\d)");

  private static final List<String> NAMES =
      Arrays.stream(DayOfWeek.values())
          .map(day -> day.name().substring(0, 3).toLowerCase(Locale.ROOT))
          .toList();

  /** When a window is open once. */
  record Opening(Instant opens, Instant closes) {
    boolean contains(Instant time) {
      return !time.isBefore(opens) && time.isBefore(closes);
    }
  }

  public Window {
    days = Collections.unmodifiableSet(EnumSet.copyOf(days));
  }

  /**
   * Reads a window.
   *
   * @throws IllegalArgumentException saying what is allowed
   */
  public static Window parse(String text) {
    Matcher parts = WINDOW.matcher(text);
    if (text.length() > 60 || !text.matches(PATTERN) || !parts.matches()) {
      throw new IllegalArgumentException("must be " + ALLOWED);
    }
    LocalTime from = LocalTime.parse(parts.group(2));
    LocalTime to =
        parts.group(3).equals("24:00") ? LocalTime.MIDNIGHT : LocalTime.parse(parts.group(3));
    if (from.equals(to) && !from.equals(LocalTime.MIDNIGHT)) {
      throw new IllegalArgumentException(
          "must not end when it begins; the whole day is 00:00-24:00");
    }
    String days = parts.group(1);
    return new Window(days == null ? EnumSet.allOf(DayOfWeek.class) : days(days), from, to);
  }

  private static Set<DayOfWeek> days(String text) {
    EnumSet<DayOfWeek> days = EnumSet.noneOf(DayOfWeek.class);
    for (String element : text.split(",", -1)) {
      String[] ends = element.split("-", -1);
      if (ends.length > 2) {
        throw new IllegalArgumentException("must be " + ALLOWED);
      }
      DayOfWeek day = day(ends[0]);
      DayOfWeek last = day(ends[ends.length - 1]);
      days.add(day);
      while (day != last) {
        day = day.plus(1);
        days.add(day);
      }
    }
    return days;
  }

  private static DayOfWeek day(String name) {
    int index = NAMES.indexOf(name.toLowerCase(Locale.ROOT));
    if (index < 0) {
      throw new IllegalArgumentException(
          "days must be of " + String.join(" ", NAMES) + ", found " + name);
    }
    return DayOfWeek.of(index + 1);
  }

  /** When the window that begins on {@code date} is open, if it begins on such a day at all. */
  java.util.Optional<Opening> on(LocalDate date, ZoneId zone) {
    if (!days.contains(date.getDayOfWeek())) {
      return java.util.Optional.empty();
    }
    LocalDate end = to.isAfter(from) ? date : date.plusDays(1);
    Instant opens = date.atTime(from).atZone(zone).toInstant();
    Instant closes = end.atTime(to).atZone(zone).toInstant();
    return opens.isBefore(closes)
        ? java.util.Optional.of(new Opening(opens, closes))
        : java.util.Optional.empty();
  }
}
