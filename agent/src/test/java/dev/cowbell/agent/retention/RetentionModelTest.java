package dev.cowbell.agent.retention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.retention.RetentionPoint.Health;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Compares the verdicts with the rules' definitions, worked out point by point from the words. */
final class RetentionModelTest {

  private static final List<ZoneId> ZONES =
      List.of(
          ZoneId.of("UTC"),
          ZoneId.of("Europe/Vienna"),
          ZoneId.of("America/New_York"),
          ZoneId.of("Australia/Lord_Howe"),
          ZoneId.of("Asia/Kathmandu"),
          ZoneId.of("Pacific/Apia"));

  private static final DateTimeFormatter HOURS =
      DateTimeFormatter.ofPattern("uuuuDDDHHxxxxx", Locale.ROOT);

  private static final Map<Moment, String> FORMATTED = new HashMap<>();

  private record Moment(Instant time, CalendarPeriod period, ZoneId zone) {}

  /** Written by pattern, where the code under test asks the calendar's fields. */
  private static final Map<CalendarPeriod, DateTimeFormatter> BUCKETS =
      new EnumMap<>(
          Map.of(
              CalendarPeriod.HOURLY, HOURS,
              CalendarPeriod.DAILY, DateTimeFormatter.ofPattern("uuuuDDD", Locale.ROOT),
              CalendarPeriod.WEEKLY, DateTimeFormatter.ofPattern("YYYYww", Locale.GERMANY),
              CalendarPeriod.MONTHLY, DateTimeFormatter.ofPattern("uuuuMM", Locale.ROOT),
              CalendarPeriod.YEARLY, DateTimeFormatter.ofPattern("uuuu", Locale.ROOT)));

  @Test
  void agrees_with_the_definitions_on_random_histories() {
    int rounds = Integer.getInteger("cowbell.rounds", 100);
    long base = Long.getLong("cowbell.seed", 20_260_101L);
    for (int round = 0; round < rounds; round++) {
      long seed = base + round;
      Random random = new Random(seed);
      List<RetentionPoint> points = history(random);
      RetentionPolicy policy = policy(random);
      Instant now = points.getFirst().time().plusSeconds(random.nextInt(100_000));
      RetentionPlan plan = Retention.judge(points, policy, now);
      assertThat(ids(plan.kept()))
          .as("seed %d, %s", seed, policy)
          .isEqualTo(expected(points, policy, now));
      assertThat(plan.verdicts()).as("seed %d", seed).hasSize(points.size());
      for (Verdict verdict : plan.verdicts()) {
        assertThat(verdict.reasons()).as("seed %d: %s", seed, verdict).isNotEmpty();
      }
    }
  }

  @Test
  void two_policies_together_keep_at_least_what_each_of_them_keeps() {
    int tried = 0;
    for (long seed = 1; seed <= 200; seed++) {
      Random random = new Random(seed);
      List<RetentionPoint> points = history(random);
      ZoneId zone = ZONES.get(random.nextInt(ZONES.size()));
      RetentionPolicy one = rulesOnly(policy(random), zone);
      RetentionPolicy other = rulesOnly(policy(random), zone);
      if (one.within().isPresent()
          && other.within().isPresent()
          && one.within().get().longest(other.within().get()).isEmpty()) {
        continue;
      }
      tried++;
      Instant now = points.getFirst().time().plusSeconds(random.nextInt(100_000));
      assertThat(ids(Retention.judge(points, one.or(other), now).kept()))
          .as("seed %d, %s or %s", seed, one, other)
          .containsAll(ids(Retention.judge(points, one, now).kept()))
          .containsAll(ids(Retention.judge(points, other, now).kept()));
    }
    assertThat(tried).isGreaterThan(100);
  }

  /** Without the minimum, which is less likely to be missed the more rules there are. */
  private static RetentionPolicy rulesOnly(RetentionPolicy policy, ZoneId zone) {
    return new RetentionPolicy(
        policy.last(), policy.periods(), policy.within(), policy.labels(), 0, zone);
  }

  /** A second run finds nothing more to remove: what a policy keeps, it keeps. */
  @Test
  void judging_what_was_kept_removes_nothing_more() {
    for (long seed = 1; seed <= 100; seed++) {
      Random random = new Random(seed);
      List<RetentionPoint> points = history(random);
      RetentionPolicy policy = policy(random);
      Instant now = points.getFirst().time().plusSeconds(60);
      List<RetentionPoint> kept = Retention.judge(points, policy, now).kept();
      assertThat(ids(Retention.judge(kept, policy, now).kept()))
          .as("seed %d, %s", seed, policy)
          .isEqualTo(ids(kept));
    }
  }

  @Test
  void some_good_point_always_survives() {
    for (long seed = 1; seed <= 100; seed++) {
      Random random = new Random(seed);
      List<RetentionPoint> points = history(random);
      Instant now = Instant.EPOCH.plus(Duration.ofHours(random.nextInt(1_500_000)));
      List<RetentionPoint> kept = Retention.judge(points, policy(random), now).kept();
      if (points.stream().anyMatch(p -> p.health() == Health.GOOD)) {
        assertThat(kept).as("seed %d", seed).anyMatch(p -> p.health() == Health.GOOD);
      }
    }
  }

  /** A year of points, two a day, pruned after each one, as an agent does it. */
  @Test
  void a_year_of_pruning_keeps_what_one_prune_at_the_end_would() {
    RetentionPolicy policy =
        new RetentionPolicy(
            24,
            Map.of(CalendarPeriod.DAILY, 7, CalendarPeriod.WEEKLY, 8, CalendarPeriod.MONTHLY, 12),
            Optional.empty(),
            List.of(),
            1,
            ZoneId.of("Europe/Vienna"));
    Instant start = Instant.parse("2025-01-01T00:10:00Z");
    List<RetentionPoint> kept = List.of();
    List<RetentionPoint> all = new ArrayList<>();
    for (int hour = 0; hour < 365 * 24; hour += 12) {
      Instant time = start.plus(Duration.ofHours(hour));
      RetentionPoint point = new RetentionPoint("h" + hour, time, Map.of(), false, Health.GOOD);
      all.addFirst(point);
      List<RetentionPoint> present = new ArrayList<>(kept);
      present.add(point);
      kept = Retention.judge(present, policy, time).kept();
    }
    assertThat(ids(kept)).isEqualTo(expected(all, policy, all.getFirst().time()));
  }

  private static List<RetentionPoint> history(Random random) {
    List<RetentionPoint> points = new ArrayList<>();
    Instant time = Instant.parse("2026-11-30T00:00:00Z").minusSeconds(random.nextInt(40_000_000));
    int[] steps = {600, 3600, 20_000, 86_400, 400_000};
    int step = steps[random.nextInt(steps.length)];
    int count = 1 + random.nextInt(150);
    for (int i = 0; i < count; i++) {
      points.add(
          new RetentionPoint(
              "p%04d".formatted(count - i),
              time,
              random.nextInt(8) == 0 ? Map.of("k", "v" + random.nextInt(3)) : Map.of(),
              random.nextInt(20) == 0,
              random.nextInt(6) == 0 ? Health.DAMAGED : Health.GOOD));
      time = time.minusSeconds(random.nextInt(2 * step));
      if (random.nextInt(60) == 0) {
        time = time.minus(Duration.ofDays(random.nextInt(2000)));
      }
    }
    return points;
  }

  private static RetentionPolicy policy(Random random) {
    Map<CalendarPeriod, Integer> periods = new EnumMap<>(CalendarPeriod.class);
    for (CalendarPeriod period : CalendarPeriod.values()) {
      if (random.nextInt(3) == 0) {
        periods.put(period, 1 + random.nextInt(10));
      }
    }
    return new RetentionPolicy(
        random.nextBoolean() ? random.nextInt(10) : 0,
        periods,
        random.nextInt(3) == 0
            ? Optional.of(CalendarSpan.parse((1 + random.nextInt(40)) + "d"))
            : Optional.empty(),
        random.nextInt(4) == 0 ? List.of(LabelSelector.parse("k=v1")) : List.of(),
        1 + random.nextInt(4),
        ZONES.get(random.nextInt(ZONES.size())));
  }

  private static List<String> expected(
      List<RetentionPoint> points, RetentionPolicy policy, Instant now) {
    List<RetentionPoint> sorted =
        points.stream()
            .sorted(
                Comparator.comparing(RetentionPoint::time)
                    .thenComparing(RetentionPoint::id)
                    .reversed())
            .toList();
    Set<String> kept = new HashSet<>();
    for (int i = 0; i < sorted.size(); i++) {
      if (isKept(i, sorted, policy, now)) {
        kept.add(sorted.get(i).id());
      }
    }
    for (RetentionPoint point : sorted) {
      long good =
          sorted.stream().filter(p -> p.health() == Health.GOOD && kept.contains(p.id())).count();
      if (good < policy.minimum() && point.health() == Health.GOOD) {
        kept.add(point.id());
      }
    }
    return sorted.stream().map(RetentionPoint::id).filter(kept::contains).toList();
  }

  private static boolean isKept(
      int index, List<RetentionPoint> sorted, RetentionPolicy policy, Instant now) {
    RetentionPoint point = sorted.get(index);
    List<RetentionPoint> newer = sorted.subList(0, index);
    if (policy.hasNoRules() || point.pinned()) {
      return true;
    }
    if (!policy.labels().isEmpty() && "v1".equals(point.labels().get("k"))) {
      return true;
    }
    if (newer.stream().filter(p -> p.health() == Health.GOOD).count() < policy.last()) {
      return true;
    }
    for (Map.Entry<CalendarPeriod, Integer> rule : policy.periods().entrySet()) {
      if (isKeptByPeriod(point, sorted, rule.getKey(), rule.getValue(), policy.zone())) {
        return true;
      }
    }
    return policy.within().isPresent()
        && isWithin(point, sorted, policy.within().get(), policy.zone(), now);
  }

  private static boolean isKeptByPeriod(
      RetentionPoint point,
      List<RetentionPoint> sorted,
      CalendarPeriod period,
      int count,
      ZoneId zone) {
    String own = bucket(point, period, zone);
    boolean good = point.health() == Health.GOOD;
    Set<String> newerGood = new TreeSet<>();
    boolean isNewer = true;
    for (RetentionPoint other : sorted) {
      if (other.equals(point)) {
        isNewer = false;
        continue;
      }
      boolean otherGood = other.health() == Health.GOOD;
      if (bucket(other, period, zone).equals(own)) {
        if (isNewer ? otherGood || !good : otherGood && !good) {
          return false;
        }
      } else if (isNewer && otherGood) {
        newerGood.add(bucket(other, period, zone));
      }
    }
    return newerGood.size() < count;
  }

  private static boolean isWithin(
      RetentionPoint point,
      List<RetentionPoint> sorted,
      CalendarSpan span,
      ZoneId zone,
      Instant now) {
    List<Instant> good =
        sorted.stream().filter(p -> p.health() == Health.GOOD).map(RetentionPoint::time).toList();
    Instant newest = good.isEmpty() ? now : good.getFirst();
    Instant since = newest.atZone(zone).minus(span.dates()).toInstant();
    return !point.time().plus(timeThatMayNotHavePassed(point, good, span, zone)).isBefore(since);
  }

  private static Duration timeThatMayNotHavePassed(
      RetentionPoint point, List<Instant> good, CalendarSpan span, ZoneId zone) {
    List<Duration> gaps = new ArrayList<>();
    for (int i = 0; i + 1 < good.size(); i++) {
      gaps.add(Duration.between(good.get(i + 1), good.get(i)));
    }
    Duration doubted = Duration.ZERO;
    for (int i = 0; i < gaps.size(); i++) {
      Duration gap = gaps.get(i);
      long shorter = gaps.stream().filter(g -> g.multipliedBy(10).compareTo(gap) < 0).count();
      boolean unusual = 2 * shorter >= gaps.size();
      boolean expiresAllBefore =
          good.get(i).atZone(zone).minus(span.dates()).toInstant().isAfter(good.get(i + 1));
      if (unusual && expiresAllBefore && !point.time().isAfter(good.get(i + 1))) {
        doubted = doubted.plus(gap);
      }
    }
    return doubted;
  }

  private static String bucket(RetentionPoint point, CalendarPeriod period, ZoneId zone) {
    return FORMATTED.computeIfAbsent(
        new Moment(point.time(), period, zone),
        moment -> moment.time().atZone(zone).format(BUCKETS.getOrDefault(period, HOURS)));
  }

  private static List<String> ids(List<RetentionPoint> points) {
    return points.stream().map(RetentionPoint::id).toList();
  }
}
