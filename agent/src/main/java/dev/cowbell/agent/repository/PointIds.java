package dev.cowbell.agent.repository;

import java.time.Clock;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.random.RandomGenerator;

/**
 * Makes ids for new points. An id names the present second, unless the VM has a point of that
 * second or of a later one (a fast repetition, or a clock that went backwards): then the second
 * behind the newest point's. So ids of a VM strictly increase, whatever the clock does.
 */
public final class PointIds {

  private final Clock clock;
  private final RandomGenerator random;

  public PointIds(Clock clock, RandomGenerator random) {
    this.clock = clock;
    this.random = random;
  }

  /**
   * An id greater than every other of the VM.
   *
   * @param newest the greatest id of the VM so far
   */
  public PointId next(Optional<PointId> newest) {
    Instant now = clock.instant().truncatedTo(ChronoUnit.SECONDS);
    Instant second =
        newest
            .map(id -> id.second().plusSeconds(1))
            .filter(behind -> behind.isAfter(now))
            .orElse(now);
    return PointId.of(second, random.nextInt());
  }
}
