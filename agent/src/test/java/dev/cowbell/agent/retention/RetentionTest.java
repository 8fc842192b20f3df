package dev.cowbell.agent.retention;

import static dev.cowbell.agent.retention.CalendarPeriod.DAILY;
import static dev.cowbell.agent.retention.CalendarPeriod.HOURLY;
import static dev.cowbell.agent.retention.CalendarPeriod.MONTHLY;
import static dev.cowbell.agent.retention.CalendarPeriod.WEEKLY;
import static dev.cowbell.agent.retention.CalendarPeriod.YEARLY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.agent.retention.RetentionPoint.Health;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class RetentionTest {

  private static final Instant NOW = Instant.parse("2026-06-30T12:30:00Z");
  private static final ZoneId VIENNA = ZoneId.of("Europe/Vienna");

  @Test
  void a_policy_without_rules_keeps_everything() {
    RetentionPlan plan =
        Retention.judge(
            every(Duration.ofHours(1), 50), RetentionPolicy.keepEverything(ZoneOffset.UTC), NOW);
    assertThat(plan.kept()).hasSize(50);
    assertThat(plan.verdicts().getFirst().reasons()).isEqualTo(List.of(new Reason.NoRules()));
  }

  @Test
  void keeps_the_last_ones() {
    RetentionPlan plan = judge(every(Duration.ofHours(1), 5), last(3));
    assertThat(ids(plan.kept())).containsExactly("p0", "p1", "p2");
    assertThat(plan.verdicts().get(1).reasons()).isEqualTo(List.of(new Reason.Last(2, 3)));
    assertThat(plan.verdicts().get(3).reasons()).isEqualTo(List.of(new Reason.BeyondLast(3)));
  }

  @Test
  void keeps_the_newest_of_each_day() {
    List<RetentionPoint> points =
        List.of(
            at("a", "2026-06-30T01:00:00Z"),
            at("b", "2026-06-30T09:00:00Z"),
            at("c", "2026-06-29T23:59:59Z"),
            at("d", "2026-06-29T00:00:00Z"),
            at("e", "2026-06-20T00:00:00Z"),
            at("f", "2026-06-19T00:00:00Z"));
    RetentionPlan plan = judge(points, periods(Map.of(DAILY, 3)));
    assertThat(ids(plan.kept())).containsExactly("b", "c", "e");
    assertThat(reasons(plan, "e")).containsExactly("daily 3 of 3 (2026-06-20)");
    assertThat(reasons(plan, "a")).containsExactly("daily: b stands for 2026-06-30");
    assertThat(reasons(plan, "f")).containsExactly("daily: 2026-06-19 is not among the newest 3");
  }

  @Test
  void weeks_are_iso_weeks() {
    List<RetentionPoint> points =
        List.of(
            at("mon", "2026-01-05T00:00:00Z"),
            at("sun", "2026-01-04T23:00:00Z"),
            at("thu", "2026-01-01T00:00:00Z"),
            at("wed", "2025-12-31T00:00:00Z"),
            at("oldweek", "2025-12-28T00:00:00Z"));
    RetentionPlan plan = judge(points, periods(Map.of(WEEKLY, 9)));
    assertThat(ids(plan.kept())).containsExactly("mon", "sun", "oldweek");
    assertThat(reasons(plan, "sun")).containsExactly("weekly 2 of 9 (2026-W01)");
  }

  @Test
  void months_and_years_follow_the_time_zone() {
    List<RetentionPoint> points =
        List.of(at("new", "2025-12-31T23:30:00Z"), at("old", "2025-12-31T22:30:00Z"));
    assertThat(judge(points, periods(Map.of(MONTHLY, 5))).kept()).hasSize(1);
    RetentionPolicy vienna =
        new RetentionPolicy(
            0, Map.of(MONTHLY, 5, YEARLY, 5), Optional.empty(), List.of(), 1, VIENNA);
    RetentionPlan plan = judge(points, vienna);
    assertThat(reasons(plan, "new"))
        .containsExactly("monthly 1 of 5 (2026-01)", "yearly 1 of 5 (2026)");
    assertThat(reasons(plan, "old"))
        .containsExactly("monthly 2 of 5 (2025-12)", "yearly 2 of 5 (2025)");
  }

  @Test
  void the_hour_that_comes_twice_is_two_hours() {
    List<RetentionPoint> points =
        List.of(
            at("second", "2025-10-26T01:30:00Z"), // 02:30+01:00
            at("first", "2025-10-26T00:30:00Z")); // 02:30+02:00
    RetentionPolicy vienna =
        new RetentionPolicy(0, Map.of(HOURLY, 5), Optional.empty(), List.of(), 1, VIENNA);
    RetentionPlan plan = judge(points, vienna);
    assertThat(reasons(plan, "second")).containsExactly("hourly 1 of 5 (2025-10-26T02+01:00)");
    assertThat(reasons(plan, "first")).containsExactly("hourly 2 of 5 (2025-10-26T02+02:00)");
  }

  @Test
  void a_day_of_23_and_one_of_25_hours_are_one_day_each() {
    for (String change : List.of("2026-03-28T23:00:00Z", "2025-10-25T22:00:00Z")) {
      Instant midnight = Instant.parse(change);
      List<RetentionPoint> points = new ArrayList<>();
      int hours = change.startsWith("2026-03") ? 23 : 25;
      for (int i = 0; i < hours; i++) {
        points.add(point("h" + i, midnight.plus(Duration.ofHours(i))));
      }
      RetentionPolicy vienna =
          new RetentionPolicy(0, Map.of(DAILY, 9), Optional.empty(), List.of(), 1, VIENNA);
      assertThat(judge(points, vienna).kept()).hasSize(1);
      points.add(point("next", midnight.plus(Duration.ofHours(hours))));
      assertThat(judge(points, vienna).kept()).hasSize(2);
    }
  }

  @Test
  void rules_add_up_and_every_reason_is_told() {
    RetentionPolicy policy =
        new RetentionPolicy(
            1,
            Map.of(DAILY, 1, YEARLY, 1),
            Optional.of(CalendarSpan.parse("1d")),
            List.of(LabelSelector.parse("release"), LabelSelector.parse("env=prod")),
            1,
            ZoneOffset.UTC);
    RetentionPoint point =
        new RetentionPoint(
            "x", NOW.minusSeconds(60), Map.of("release", "7", "env", "prod"), true, Health.GOOD);
    assertThat(reasons(judge(List.of(point), policy), "x"))
        .containsExactly(
            "pinned",
            "label release",
            "label env=prod",
            "last 1 of 1",
            "daily 1 of 1 (2026-06-30)",
            "yearly 1 of 1 (2026)",
            "within 1d (since 2026-06-29T12:29:00Z)");
  }

  @Test
  void a_label_with_another_value_does_not_keep() {
    RetentionPolicy policy =
        new RetentionPolicy(
            1,
            Map.of(),
            Optional.empty(),
            List.of(LabelSelector.parse("env=prod")),
            1,
            ZoneOffset.UTC);
    RetentionPoint test =
        new RetentionPoint("t", NOW.minusSeconds(100), Map.of("env", "test"), false, Health.GOOD);
    assertThat(reasons(judge(List.of(test, at("n", NOW.toString())), policy), "t"))
        .containsExactly("no label that keeps it", "not among the last 1");
  }

  @Test
  void pinned_points_stay_and_still_take_their_place() {
    List<RetentionPoint> points = new ArrayList<>(every(Duration.ofHours(1), 3));
    points.add(
        new RetentionPoint("pin", NOW.minus(Duration.ofDays(400)), Map.of(), true, Health.GOOD));
    assertThat(ids(judge(points, last(1)).kept())).containsExactly("p0", "pin");
  }

  @Test
  void within_is_measured_from_the_newest_point_so_that_a_pause_expires_nothing() {
    List<RetentionPoint> points = every(Duration.ofDays(1), 10);
    RetentionPolicy policy = within("3d");
    assertThat(Retention.judge(points, policy, NOW).kept()).hasSize(4);
    assertThat(Retention.judge(points, policy, NOW.plus(Duration.ofDays(4000))).kept()).hasSize(4);
  }

  @Test
  void a_clock_that_leapt_ahead_expires_nothing_by_age() {
    List<RetentionPoint> points = new ArrayList<>(every(Duration.ofHours(1), 48));
    Instant wrong = NOW.plus(Duration.ofDays(3650));
    points.add(point("leapt", wrong));
    RetentionPlan plan = Retention.judge(points, within("2d"), wrong.plusSeconds(5));
    assertThat(plan.removed()).isEmpty();
    assertThat(reasons(plan, "p0"))
        .containsExactly("the clock may have leapt from " + NOW + " to " + wrong);
  }

  @Test
  void after_a_leap_points_age_by_the_time_seen_since() {
    List<RetentionPoint> points = new ArrayList<>(every(Duration.ofHours(1), 24));
    Instant after = NOW.plus(Duration.ofDays(3650));
    for (int i = 0; i < 30; i++) {
      points.add(point("n" + i, after.plus(Duration.ofHours(i))));
    }
    RetentionPlan plan = Retention.judge(points, within("48h"), after.plus(Duration.ofHours(30)));
    // 29 hours were seen since the leap, so 19 more of the 24 before it are within 48 hours.
    assertThat(plan.kept()).hasSize(30 + 20);
  }

  @Test
  void points_further_apart_than_the_span_are_no_leap() {
    assertThat(judge(every(Duration.ofDays(7), 10), within("3d")).kept()).hasSize(1);
  }

  @Test
  void points_from_the_future_stay_and_push_nothing_out() {
    List<RetentionPoint> points = new ArrayList<>(every(Duration.ofHours(1), 5));
    for (int i = 1; i <= 5; i++) {
      points.add(point("f" + i, NOW.plus(Duration.ofDays(100L * i))));
    }
    RetentionPlan plan = judge(points, last(3));
    assertThat(ids(plan.removed())).containsExactly("p3", "p4");
    assertThat(reasons(plan, "f1")).singleElement().asString().contains("future");
  }

  @Test
  void a_clock_set_back_removes_nothing() {
    RetentionPlan plan =
        Retention.judge(every(Duration.ofHours(1), 100), last(1), NOW.minus(Duration.ofDays(3650)));
    assertThat(plan.removed()).isEmpty();
  }

  @Test
  void another_agents_clock_a_little_ahead_is_no_future() {
    RetentionPoint ahead = point("ahead", NOW.plus(Duration.ofMinutes(59)));
    assertThat(reasons(judge(List.of(ahead, point("p", NOW)), last(1)), "ahead"))
        .containsExactly("last 1 of 1");
  }

  @Test
  void the_last_good_point_stays_although_no_rule_keeps_it() {
    RetentionPolicy onlyLabelled =
        new RetentionPolicy(
            0, Map.of(), Optional.empty(), List.of(LabelSelector.parse("x")), 1, ZoneOffset.UTC);
    RetentionPlan plan = judge(every(Duration.ofHours(1), 5), onlyLabelled);
    assertThat(reasons(plan, "p0")).containsExactly("the last good point");
    assertThat(plan.kept()).hasSize(1);
  }

  @Test
  void the_last_good_point_goes_only_when_the_minimum_is_zero() {
    RetentionPolicy policy =
        new RetentionPolicy(
            0, Map.of(), Optional.empty(), List.of(LabelSelector.parse("x")), 0, ZoneOffset.UTC);
    assertThat(judge(every(Duration.ofHours(1), 5), policy).kept()).isEmpty();
  }

  @Test
  void the_minimum_is_filled_with_the_newest_good_points() {
    RetentionPolicy policy =
        new RetentionPolicy(0, Map.of(YEARLY, 1), Optional.empty(), List.of(), 3, ZoneOffset.UTC);
    List<RetentionPoint> points = new ArrayList<>(every(Duration.ofHours(1), 5));
    points.set(1, damaged("p1", points.get(1).time()));
    RetentionPlan plan = judge(points, policy);
    assertThat(ids(plan.kept())).containsExactly("p0", "p2", "p3");
    assertThat(reasons(plan, "p3")).containsExactly("minimum of 3");
  }

  @Test
  void a_damaged_point_never_takes_the_place_of_a_good_one() {
    List<RetentionPoint> points =
        List.of(
            damaged("bad", Instant.parse("2026-06-30T10:00:00Z")),
            at("good", "2026-06-30T09:00:00Z"),
            damaged("lonely", Instant.parse("2026-06-29T10:00:00Z")),
            at("older", "2026-06-28T10:00:00Z"));
    RetentionPlan plan = judge(points, periods(Map.of(DAILY, 2)));
    assertThat(ids(plan.kept())).containsExactly("good", "lonely", "older");
    assertThat(reasons(plan, "lonely"))
        .containsExactly("damaged, but nothing better for daily 2026-06-29");
    assertThat(ids(judge(points, last(1)).kept())).containsExactly("bad", "good");
  }

  @Test
  void when_all_are_damaged_none_of_their_periods_is_lost() {
    List<RetentionPoint> points = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      points.add(damaged("d" + i, NOW.minus(Duration.ofDays(i))));
    }
    assertThat(judge(points, periods(Map.of(DAILY, 2))).removed()).isEmpty();
  }

  @Test
  void two_points_with_one_id_are_refused() {
    assertThatThrownBy(
            () -> judge(List.of(point("a", NOW), point("a", NOW.minusSeconds(1))), last(1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("a");
  }

  @Test
  void counts_out_of_range_are_refused() {
    assertThatThrownBy(() -> last(-1)).hasMessage("last must be 0 to 100000, found -1");
    assertThatThrownBy(() -> periods(Map.of(DAILY, 0)))
        .hasMessage("daily must be 1 to 100000, found 0");
  }

  @Test
  void prints_a_line_for_every_point() {
    assertThat(judge(every(Duration.ofHours(1), 2), last(1)).toString())
        .isEqualTo(
            """
            keep   p0  2026-06-30T12:30:00Z  last 1 of 1
            remove p1  2026-06-30T11:30:00Z  not among the last 1
            """);
  }

  private static RetentionPlan judge(List<RetentionPoint> points, RetentionPolicy policy) {
    return Retention.judge(points, policy, NOW);
  }

  private static RetentionPolicy last(int count) {
    return new RetentionPolicy(count, Map.of(), Optional.empty(), List.of(), 1, ZoneOffset.UTC);
  }

  private static RetentionPolicy periods(Map<CalendarPeriod, Integer> counts) {
    return new RetentionPolicy(0, counts, Optional.empty(), List.of(), 1, ZoneOffset.UTC);
  }

  private static RetentionPolicy within(String span) {
    return new RetentionPolicy(
        0, Map.of(), Optional.of(CalendarSpan.parse(span)), List.of(), 1, ZoneOffset.UTC);
  }

  private static List<RetentionPoint> every(Duration interval, int count) {
    List<RetentionPoint> points = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      points.add(point("p" + i, NOW.minus(interval.multipliedBy(i))));
    }
    return points;
  }

  private static RetentionPoint at(String id, String time) {
    return point(id, Instant.parse(time));
  }

  private static RetentionPoint point(String id, Instant time) {
    return new RetentionPoint(id, time, Map.of(), false, Health.GOOD);
  }

  private static RetentionPoint damaged(String id, Instant time) {
    return new RetentionPoint(id, time, Map.of(), false, Health.DAMAGED);
  }

  private static List<String> ids(List<RetentionPoint> points) {
    return points.stream().map(RetentionPoint::id).toList();
  }

  private static List<String> reasons(RetentionPlan plan, String id) {
    return plan.verdicts().stream()
        .filter(v -> v.point().id().equals(id))
        .flatMap(v -> v.reasons().stream())
        .map(Object::toString)
        .toList();
  }
}
