package dev.cowbell.agent.retention;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Judges the points of one VM by a policy. Nothing is read or written here, and the same input
 * gives the same verdicts.
 *
 * <p>A damaged point never takes the place of a good one: it is not counted, and stays only where
 * nothing better exists. A point whose time lies in the future is kept and not counted either.
 * {@code within} is measured from the newest good point, not from now, so that points do not age
 * while no new ones are made.
 */
public final class Retention {

  /** How far ahead of now a point may lie before its clock is doubted. */
  public static final Duration CLOCK_TOLERANCE = Duration.ofHours(1);

  private static final Comparator<RetentionPoint> NEWEST_FIRST =
      Comparator.comparing(RetentionPoint::time).thenComparing(RetentionPoint::id).reversed();

  private final RetentionPolicy policy;
  private final Instant now;
  private final Map<RetentionPoint, Findings> findings = new LinkedHashMap<>();

  /** The points that time rules judge, newest first. */
  private final List<RetentionPoint> judged = new ArrayList<>();

  private Retention(RetentionPolicy policy, Instant now) {
    this.policy = policy;
    this.now = now;
  }

  /**
   * Judges {@code points}.
   *
   * @param points all points of one VM, in any order
   * @param policy what to keep
   * @param now the current time
   * @throws IllegalArgumentException when two points have the same id
   */
  public static RetentionPlan judge(
      Collection<RetentionPoint> points, RetentionPolicy policy, Instant now) {
    Retention retention = new Retention(policy, now);
    retention.sort(points);
    retention.applyRules();
    retention.applyMinimum();
    return retention.plan();
  }

  private void sort(Collection<RetentionPoint> points) {
    Map<String, RetentionPoint> byId = new HashMap<>();
    Instant latest = now.plus(CLOCK_TOLERANCE);
    for (RetentionPoint point : points.stream().sorted(NEWEST_FIRST).toList()) {
      if (byId.put(point.id(), point) != null) {
        throw new IllegalArgumentException("two points have the id " + point.id());
      }
      findings.put(point, new Findings());
      if (point.time().isAfter(latest)) {
        keep(point, new Reason.InTheFuture(now));
      } else {
        judged.add(point);
      }
    }
  }

  private void applyRules() {
    for (RetentionPoint point : findings.keySet()) {
      if (point.pinned()) {
        keep(point, new Reason.Pinned());
      }
      applyLabels(point);
    }
    if (policy.hasNoRules()) {
      judged.forEach(point -> keep(point, new Reason.NoRules()));
      return;
    }
    if (policy.last() > 0) {
      applyLast(policy.last());
    }
    policy.periods().forEach(this::applyPeriod);
    policy.within().ifPresent(this::applyWithin);
  }

  private void applyLabels(RetentionPoint point) {
    boolean matched = false;
    for (LabelSelector selector : policy.labels()) {
      if (selector.matches(point.labels())) {
        keep(point, new Reason.Labelled(selector));
        matched = true;
      }
    }
    if (!matched && !policy.labels().isEmpty()) {
      drop(point, new Reason.NotLabelled());
    }
  }

  private void applyLast(int count) {
    int rank = 0;
    for (RetentionPoint point : judged) {
      if (rank == count) {
        drop(point, new Reason.BeyondLast(count));
      } else if (point.isGood()) {
        keep(point, new Reason.Last(++rank, count));
      } else {
        keep(point, new Reason.NothingBetter("last " + count));
      }
    }
  }

  private void applyPeriod(CalendarPeriod period, int count) {
    ZoneId zone = policy.zone();
    Map<String, RetentionPoint> standing = new HashMap<>();
    for (RetentionPoint point : judged) {
      standing.merge(
          period.of(point.time(), zone),
          point,
          (newer, older) -> !newer.isGood() && older.isGood() ? older : newer);
    }
    int rank = 0;
    for (RetentionPoint point : judged) {
      String bucket = period.of(point.time(), zone);
      RetentionPoint stands = standing.getOrDefault(bucket, point);
      if (!stands.equals(point)) {
        drop(point, new Reason.Superseded(period, bucket, stands.id()));
      } else if (rank == count) {
        drop(point, new Reason.BeyondPeriods(period, bucket, count));
      } else if (point.isGood()) {
        keep(point, new Reason.NewestOf(period, bucket, ++rank, count));
      } else {
        keep(point, new Reason.NothingBetter(period.word() + " " + bucket));
      }
    }
  }

  private void applyWithin(CalendarSpan span) {
    List<Instant> good =
        judged.stream().filter(RetentionPoint::isGood).map(RetentionPoint::time).toList();
    Instant newest = good.isEmpty() ? now : good.getFirst();
    Instant since = span.before(newest.isAfter(now) ? now : newest, policy.zone());
    List<ClockLeap> leaps = ClockLeap.among(good, span, policy.zone());
    for (RetentionPoint point : judged) {
      Instant believed = point.time();
      @Nullable ClockLeap last = null;
      for (ClockLeap leap : leaps) {
        if (!point.time().isAfter(leap.from())) {
          believed = believed.plus(leap.length());
          last = leap;
        }
      }
      if (!point.time().isBefore(since)) {
        keep(point, new Reason.Within(span, since));
      } else if (last != null && !believed.isBefore(since)) {
        keep(point, new Reason.BeforeClockLeap(last.from(), last.to()));
      } else {
        drop(point, new Reason.TooOld(span, since));
      }
    }
  }

  private void applyMinimum() {
    long kept = judged.stream().filter(p -> p.isGood() && findings(p).isKept()).count();
    for (RetentionPoint point : judged) {
      if (kept >= policy.minimum()) {
        return;
      }
      if (point.isGood() && !findings(point).isKept()) {
        keep(point, new Reason.Minimum(policy.minimum()));
        kept++;
      }
    }
  }

  private RetentionPlan plan() {
    List<Verdict> verdicts = new ArrayList<>();
    findings.forEach((point, found) ->
        verdicts.add(
            found.isKept()
                ? new Verdict.Keep(point, found.keeps)
                : new Verdict.Remove(point, found.drops)));
    return new RetentionPlan(verdicts);
  }

  private void keep(RetentionPoint point, Reason.Keep reason) {
    findings(point).keeps.add(reason);
  }

  private void drop(RetentionPoint point, Reason.Drop reason) {
    findings(point).drops.add(reason);
  }

  private Findings findings(RetentionPoint point) {
    return findings.computeIfAbsent(point, p -> new Findings());
  }

  /** What the rules said of one point. */
  private static final class Findings {
    final List<Reason.Keep> keeps = new ArrayList<>();
    final List<Reason.Drop> drops = new ArrayList<>();

    boolean isKept() {
      return !keeps.isEmpty();
    }
  }
}
