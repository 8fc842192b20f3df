package dev.cowbell.agent.retention;

import java.time.Instant;
import java.util.Map;

/**
 * What retention needs to know of a restore point.
 *
 * @param id the point's id, unique among those judged together
 * @param time the moment it holds
 * @param labels the labels it was given
 * @param pinned whether somebody asked for it to stay
 * @param health what is known of its data
 */
public record RetentionPoint(
    String id, Instant time, Map<String, String> labels, boolean pinned, Health health) {

  /** What is known of a point's data. */
  public enum Health {
    /** Nothing is known against it. */
    GOOD,
    /** Something of it is known to be missing or damaged. */
    DAMAGED
  }

  public RetentionPoint {
    labels = Map.copyOf(labels);
  }

  boolean isGood() {
    return health == Health.GOOD;
  }
}
