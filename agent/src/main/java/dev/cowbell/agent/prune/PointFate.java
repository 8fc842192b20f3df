package dev.cowbell.agent.prune;

import static java.time.temporal.ChronoUnit.SECONDS;

import dev.cowbell.agent.repository.PointId;
import java.time.Instant;
import java.util.List;

/**
 * What becomes of one point.
 *
 * @param reasons why, for people
 */
public record PointFate(PointId point, Instant time, Kind kind, List<String> reasons) {

  /** What may become of a point. */
  public enum Kind {
    KEEP("keep"),
    /** It goes, and points that stay take in what they need of it. */
    MERGE("merge"),
    /** It goes, and nobody needs anything of it. */
    REMOVE("remove"),
    /** It can't be restored any more, but its overlays stay: chains go through them. */
    CARRY("carry");

    private final String word;

    Kind(String word) {
      this.word = word;
    }

    public String word() {
      return word;
    }
  }

  public PointFate {
    reasons = List.copyOf(reasons);
  }

  @Override
  public String toString() {
    return "%-6s %s  %s  %s"
        .formatted(kind.word, point, time.truncatedTo(SECONDS), String.join("; ", reasons));
  }
}
