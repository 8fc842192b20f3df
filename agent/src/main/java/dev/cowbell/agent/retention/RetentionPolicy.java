package dev.cowbell.agent.retention;

import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What to keep. Each rule speaks for itself: a point stays if any rule keeps it. A policy without
 * rules keeps everything.
 *
 * @param last how many of the newest points stay; 0 for no such rule
 * @param periods how many hours, days, … keep their newest point; absent for no such rule
 * @param within keeps what is at most this much older than the newest point
 * @param labels keeps every point that one of these matches
 * @param minimum how many good points stay in any case, the newest ones
 * @param zone the time zone whose hours, days and weeks are meant
 */
public record RetentionPolicy(
    int last,
    Map<CalendarPeriod, Integer> periods,
    Optional<CalendarSpan> within,
    List<LabelSelector> labels,
    int minimum,
    ZoneId zone) {

  /** The largest count a rule may have. */
  public static final int MAX_COUNT = 100_000;

  public RetentionPolicy {
    EnumMap<CalendarPeriod, Integer> sorted = new EnumMap<>(CalendarPeriod.class);
    sorted.putAll(periods);
    sorted.forEach((period, count) -> check(period.word(), count, 1));
    periods = Collections.unmodifiableMap(sorted);
    labels = List.copyOf(labels);
    check("last", last, 0);
    check("minimum", minimum, 0);
  }

  private static void check(String what, int count, int least) {
    if (count < least || count > MAX_COUNT) {
      throw new IllegalArgumentException(
          what + " must be " + least + " to " + MAX_COUNT + ", found " + count);
    }
  }

  /** The policy that removes nothing. */
  public static RetentionPolicy keepEverything(ZoneId zone) {
    return new RetentionPolicy(0, Map.of(), Optional.empty(), List.of(), 1, zone);
  }

  /**
   * The policy that keeps what this one or another keeps.
   *
   * @throws IllegalArgumentException if no policy does, saying why
   */
  public RetentionPolicy or(RetentionPolicy other) {
    if (!zone.equals(other.zone)) {
      throw new IllegalArgumentException(
          "their days begin at different times: in %s and in %s".formatted(zone, other.zone));
    }
    if (hasNoRules() || other.hasNoRules()) {
      return keepEverything(zone);
    }
    Map<CalendarPeriod, Integer> most = new EnumMap<>(CalendarPeriod.class);
    most.putAll(periods);
    other.periods.forEach((period, count) -> most.merge(period, count, Math::max));
    Set<LabelSelector> selectors = new LinkedHashSet<>(labels);
    selectors.addAll(other.labels);
    return new RetentionPolicy(
        Math.max(last, other.last),
        most,
        longest(other),
        List.copyOf(selectors),
        Math.max(minimum, other.minimum),
        zone);
  }

  private Optional<CalendarSpan> longest(RetentionPolicy other) {
    if (within.isEmpty() || other.within.isEmpty()) {
      return within.or(() -> other.within);
    }
    return Optional.of(
        within
            .get()
            .longest(other.within.get())
            .orElseThrow(() ->
                new IllegalArgumentException(
                    "whether within %s or %s is longer depends on the month"
                        .formatted(within.get(), other.within.get()))));
  }

  /** Whether no rule is given, so that everything stays. */
  public boolean hasNoRules() {
    return last == 0 && periods.isEmpty() && within.isEmpty() && labels.isEmpty();
  }

  /** The rules in a few words, such as {@code last 24, daily 7, within 30d}. */
  @Override
  public String toString() {
    List<String> rules = new ArrayList<>();
    if (last > 0) {
      rules.add("last " + last);
    }
    periods.forEach((period, count) -> rules.add(period.word() + " " + count));
    within.ifPresent(span -> rules.add("within " + span));
    labels.forEach(label -> rules.add("label " + label));
    if (rules.isEmpty()) {
      return "everything";
    }
    rules.add("at least " + minimum);
    return String.join(", ", rules);
  }
}
