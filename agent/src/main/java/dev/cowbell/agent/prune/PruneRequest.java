package dev.cowbell.agent.prune;

import dev.cowbell.agent.retention.RetentionPolicy;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * What the user wants pruned.
 *
 * @param policy which points stay
 * @param maxChain the most overlays that a point's disk may consist of; empty for any number
 * @param sweepAge how old what interrupted runs left has to be before it is removed
 */
public record PruneRequest(RetentionPolicy policy, OptionalInt maxChain, Duration sweepAge) {

  /** Longer than any backup is interrupted and still goes on. */
  public static final Duration USUAL_SWEEP_AGE = Duration.ofHours(24);

  public PruneRequest {
    if (maxChain.isPresent() && maxChain.getAsInt() < 1) {
      throw new IllegalArgumentException(
          "a chain has at least 1 overlay, not " + maxChain.getAsInt());
    }
  }
}
