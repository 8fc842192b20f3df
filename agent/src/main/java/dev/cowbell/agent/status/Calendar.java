package dev.cowbell.agent.status;

import java.time.DayOfWeek;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.temporal.TemporalAdjusters;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Restore points by day, in columns of weeks: the picture that shows a gap at a glance. */
public record Calendar(List<Day> days, int weeks) {

  static final int WEEKS = 26;

  /**
   * A day.
   *
   * @param week 0 for the oldest week
   * @param weekday 0 for Monday
   * @param points how many were made on that day
   * @param full whether one of them was a full
   */
  public record Day(LocalDate date, int week, int weekday, int points, boolean full) {

    /** Names the class that its square is drawn with. */
    public String level() {
      return points == 0 ? "none" : full ? "full" : points < 4 ? "some" : "many";
    }
  }

  /** The last {@link #WEEKS} weeks up to today. */
  static Calendar of(List<PointView> points, Instant now, ZoneId zone) {
    return of(points, now, zone, WEEKS);
  }

  /** The last {@code weeks} weeks up to today, the first of them from its Monday on. */
  public static Calendar of(List<PointView> points, Instant now, ZoneId zone, int weeks) {
    Map<LocalDate, Integer> counts = new HashMap<>();
    Map<LocalDate, Boolean> fulls = new HashMap<>();
    for (PointView point : points) {
      LocalDate date = LocalDate.ofInstant(point.time(), zone);
      counts.merge(date, 1, Integer::sum);
      fulls.merge(date, point.full(), Boolean::logicalOr);
    }
    LocalDate today = LocalDate.ofInstant(now, zone);
    LocalDate first =
        today.with(TemporalAdjusters.previousOrSame(DayOfWeek.MONDAY)).minusWeeks(weeks - 1);
    List<Day> days = new ArrayList<>();
    for (LocalDate date = first; !date.isAfter(today); date = date.plusDays(1)) {
      int index = (int) (date.toEpochDay() - first.toEpochDay());
      days.add(
          new Day(
              date,
              index / 7,
              index % 7,
              counts.getOrDefault(date, 0),
              fulls.getOrDefault(date, false)));
    }
    return new Calendar(days, weeks);
  }
}
