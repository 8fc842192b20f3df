package dev.cowbell.agent.retention;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;

/**
 * A gap between two neighbouring points that may be a wrong clock rather than time that passed: it
 * is longer than the whole span of an age rule, so that everything before it would expire at once,
 * and far longer than this VM's points usually lie apart. Such a gap does not age what lies before
 * it. After a real pause the old points therefore expire later, not never.
 *
 * @param from the last good point before the gap
 * @param to the first good point after it
 */
record ClockLeap(Instant from, Instant to) {

  /** How many times the usual distance a gap must be to be doubted. */
  private static final int UNUSUAL = 10;

  Duration length() {
    return Duration.between(from, to);
  }

  /**
   * Finds the leaps.
   *
   * @param times the times of the good points, newest first
   * @param span the age that expires points
   * @param zone the zone whose calendar the span is counted on
   */
  static List<ClockLeap> among(List<Instant> times, CalendarSpan span, ZoneId zone) {
    List<Duration> gaps = new ArrayList<>();
    for (int i = 1; i < times.size(); i++) {
      gaps.add(Duration.between(times.get(i), times.get(i - 1)));
    }
    if (gaps.isEmpty()) {
      return List.of();
    }
    Duration usual = gaps.stream().sorted().toList().get((gaps.size() - 1) / 2);
    List<ClockLeap> leaps = new ArrayList<>();
    for (int i = 0; i < gaps.size(); i++) {
      Instant from = times.get(i + 1);
      Instant to = times.get(i);
      if (span.before(to, zone).isAfter(from)
          && gaps.get(i).compareTo(usual.multipliedBy(UNUSUAL)) > 0) {
        leaps.add(new ClockLeap(from, to));
      }
    }
    return leaps;
  }
}
