package dev.cowbell.agent.retention;

import java.util.List;
import java.util.stream.Collectors;

/**
 * The verdicts on all points of one VM, newest first. Printing it gives a line per point.
 *
 * @param verdicts one per point, newest first
 */
public record RetentionPlan(List<Verdict> verdicts) {

  public RetentionPlan {
    verdicts = List.copyOf(verdicts);
  }

  /** The points that stay, newest first. */
  public List<RetentionPoint> kept() {
    return verdicts.stream()
        .filter(Verdict.Keep.class::isInstance)
        .map(Verdict::point)
        .collect(Collectors.toList());
  }

  /** The points that go, newest first. */
  public List<RetentionPoint> removed() {
    return verdicts.stream()
        .filter(Verdict.Remove.class::isInstance)
        .map(Verdict::point)
        .collect(Collectors.toList());
  }

  @Override
  public String toString() {
    return verdicts.stream().map(v -> v + "\n").collect(Collectors.joining());
  }
}
