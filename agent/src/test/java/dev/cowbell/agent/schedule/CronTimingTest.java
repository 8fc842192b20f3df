package dev.cowbell.agent.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.zone.ZoneRules;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

final class CronTimingTest {

  private static final ZoneId VIENNA = ZoneId.of("Europe/Vienna");

  @Test
  void a_nightly_run_is_not_lost_on_the_day_the_clocks_skip_its_hour() {
    assertThat(next("30 2 * * *", VIENNA, "2026-03-28T02:00:00Z", 2))
        .containsExactly("2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z");
  }

  @Test
  void a_nightly_run_comes_once_on_the_day_its_hour_comes_twice() {
    assertThat(next("30 2 * * *", VIENNA, "2026-10-24T12:00:00Z", 2))
        .containsExactly("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
  }

  @Test
  void an_hourly_run_comes_every_hour_also_when_the_clocks_change() {
    for (String start : List.of("2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z")) {
      Instant time = Instant.parse(start);
      CronTiming hourly = CronTiming.parse("0 * * * *", VIENNA);
      for (int i = 1; i <= 24; i++) {
        time = hourly.after(time).orElseThrow();
        assertThat(time).isEqualTo(Instant.parse(start).plus(Duration.ofHours(i)));
      }
    }
  }

  @Test
  void reads_weekdays_as_crontab_counts_them() {
    // 2026-11-22 is a Sunday.
    for (String sunday : List.of("0 5 * * 0", "0 5 * * 7", "0 5 * * sun", "0 0 5 ? * 1")) {
      assertThat(next(sunday, ZoneOffset.UTC, "2026-11-21T00:00:00Z", 1))
          .as(sunday)
          .containsExactly("2026-11-22T05:00:00Z");
    }
    assertThat(next("0 5 * * 1-5/2", ZoneOffset.UTC, "2026-11-22T00:00:00Z", 4))
        .containsExactly(
            "2026-11-23T05:00:00Z",
            "2026-11-25T05:00:00Z",
            "2026-11-27T05:00:00Z",
            "2026-11-30T05:00:00Z");
    assertThat(next("0 5 * * fri-mon", ZoneOffset.UTC, "2026-11-26T06:00:00Z", 5))
        .containsExactly(
            "2026-11-27T05:00:00Z",
            "2026-11-28T05:00:00Z",
            "2026-11-29T05:00:00Z",
            "2026-11-30T05:00:00Z",
            "2026-12-04T05:00:00Z");
  }

  @Test
  void reads_nicknames_and_quartz_expressions() {
    assertThat(next("@weekly", ZoneOffset.UTC, "2026-11-21T00:00:00Z", 1))
        .containsExactly("2026-11-22T00:00:00Z");
    assertThat(next("0 0 1 L * ?", ZoneOffset.UTC, "2026-02-01T00:00:00Z", 1))
        .containsExactly("2026-02-28T01:00:00Z");
    assertThat(next("0 0 1 ? * MON#2", ZoneOffset.UTC, "2026-11-01T00:00:00Z", 1))
        .containsExactly("2026-11-09T01:00:00Z");
    assertThat(next("0 0 1 ? * FRIL", ZoneOffset.UTC, "2026-11-01T00:00:00Z", 1))
        .containsExactly("2026-11-27T01:00:00Z");
  }

  @Test
  void says_what_is_wrong_with_an_expression() {
    refuses("", "must have 5 fields");
    refuses("* * * *", "found 4");
    refuses("61 * * * *", "between 0 and 59");
    refuses("0 25 * * *", "between 0 and 23");
    refuses("0 5 1 * 1", "both day of month and weekday");
    refuses("0 5 * * 8", "0 to 7");
    refuses("0 5 * * mom", "0 to 7");
    refuses("0 5 * janu *", "JAN FEB");
    refuses("0 0 2 ? * MONN", "SUN MON");
    refuses("@dayly", "@daily");
    refuses("x", "must have 5 fields");
    refuses("a b c d e f", "must be");
    refuses("0 ".repeat(200), "at most 200");
  }

  @Test
  void an_expression_that_never_matches_has_no_due_time() {
    assertThat(CronTiming.parse("0 0 30 2 *", VIENNA).after(Instant.parse("2026-01-01T00:00:00Z")))
        .isEmpty();
  }

  @Test
  void survives_its_own_text() {
    CronTiming timing = CronTiming.parse("5 4 * * 1", VIENNA);
    assertThat(Timing.parse(timing.text(), "Europe/Vienna")).isEqualTo(timing);
    IntervalTiming interval = new IntervalTiming(Duration.ofMinutes(90), VIENNA);
    assertThat(Timing.parse(interval.text(), "Europe/Vienna")).isEqualTo(interval);
  }

  /** Compares with every local minute of some weeks, resolved one by one. */
  @Test
  void agrees_with_the_wall_clock_on_random_expressions_around_changes_of_clocks() {
    List<String> zones =
        List.of(
            "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "America/Havana", "UTC");
    long base = Long.getLong("cowbell.seed", 7L);
    for (long seed = base; seed < base + Integer.getInteger("cowbell.rounds", 60); seed++) {
      Random random = new Random(seed);
      ZoneId zone = ZoneId.of(zones.get(random.nextInt(zones.size())));
      Set<Integer> minutes = some(random, 60, 3);
      Set<Integer> hours = random.nextInt(3) == 0 ? Set.of() : some(random, 24, 4);
      String expression = list(minutes) + " " + (hours.isEmpty() ? "*" : list(hours)) + " * * *";
      Instant from =
          Optional.ofNullable(
                  zone.getRules()
                      .nextTransition(
                          Instant.parse("2026-01-01T00:00:00Z")
                              .plus(Duration.ofDays(random.nextInt(300)))))
              .map(transition -> transition.getInstant())
              .orElse(Instant.parse("2026-03-01T00:00:00Z"))
              .minus(Duration.ofHours(random.nextInt(60)));
      Instant to = from.plus(Duration.ofDays(4));
      List<Instant> found = new ArrayList<>();
      CronTiming timing = CronTiming.parse(expression, zone);
      Instant due = timing.after(from).orElseThrow();
      while (!due.isAfter(to)) {
        found.add(due);
        due = timing.after(due).orElseThrow();
      }
      assertThat(found)
          .as("seed %d: %s in %s from %s", seed, expression, zone, from)
          .containsExactlyElementsOf(expected(minutes, hours, zone, from, to));
    }
  }

  private static Set<Instant> expected(
      Set<Integer> minutes, Set<Integer> hours, ZoneId zone, Instant from, Instant to) {
    ZoneRules rules = zone.getRules();
    Set<Instant> due = new TreeSet<>();
    LocalDateTime local = LocalDateTime.ofInstant(from, ZoneOffset.UTC).minusDays(2);
    LocalDateTime end = LocalDateTime.ofInstant(to, ZoneOffset.UTC).plusDays(2);
    local = local.withSecond(0);
    for (; local.isBefore(end); local = local.plusMinutes(1)) {
      if (!minutes.contains(local.getMinute())
          || !(hours.isEmpty() || hours.contains(local.getHour()))) {
        continue;
      }
      List<ZoneOffset> offsets = rules.getValidOffsets(local);
      if (offsets.isEmpty()) {
        due.add(local.toInstant(rules.getTransition(local).getOffsetBefore()));
      } else {
        due.add(local.toInstant(offsets.getFirst()));
        if (hours.isEmpty()) {
          due.add(local.toInstant(offsets.getLast()));
        }
      }
    }
    due.removeIf(time -> !time.isAfter(from) || time.isAfter(to));
    return due;
  }

  private static Set<Integer> some(Random random, int bound, int most) {
    Set<Integer> numbers = new TreeSet<>();
    for (int i = 0; i <= random.nextInt(most); i++) {
      numbers.add(random.nextInt(bound == 24 && random.nextBoolean() ? 4 : bound));
    }
    return numbers;
  }

  private static String list(Set<Integer> numbers) {
    return numbers.stream().map(String::valueOf).collect(Collectors.joining(","));
  }

  private static void refuses(String expression, String saying) {
    assertThatThrownBy(() -> CronTiming.parse(expression, VIENNA))
        .as(expression)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(saying);
  }

  private static List<String> next(String expression, ZoneId zone, String from, int count) {
    List<String> times = new ArrayList<>();
    Instant time = Instant.parse(from);
    CronTiming timing = CronTiming.parse(expression, zone);
    for (int i = 0; i < count; i++) {
      time = timing.after(time).orElseThrow();
      times.add(time.toString());
    }
    return times;
  }
}
