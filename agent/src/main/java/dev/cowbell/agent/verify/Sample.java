package dev.cowbell.agent.verify;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.storage.ObjectKey;
import java.time.Duration;
import java.time.Instant;

/** Which stretches of the overlays' data are read. The same sample always names the same ones. */
public sealed interface Sample {

  /** Everything. */
  record Everything() implements Sample {}

  /**
   * A share chosen at random.
   *
   * @param percent more than 0, at most 100
   * @param seed chooses it
   */
  record AtRandom(double percent, long seed) implements Sample {}

  /**
   * What came due in a span of time. Each stretch has a moment of its own in each period, made of
   * its key and place: whoever asks gets the same answer, and spans that follow each other without
   * a gap for one period name every stretch.
   *
   * @param after the span begins behind this
   * @param until and ends with this
   * @param period how often each stretch comes due
   */
  record Rolling(Instant after, Instant until, Duration period) implements Sample {}

  /** All of it, in percent. */
  double ALL = 100;

  /** So many percent, or everything. */
  static Sample ofPercent(double percent, long seed) throws RefusedException {
    if (!(percent > 0 && percent <= ALL)) {
      throw new RefusedException("--sample %s: more than 0, at most 100".formatted(percent));
    }
    return percent >= ALL ? new Everything() : new AtRandom(percent, seed);
  }

  /** Whether nothing is left out. */
  default boolean isWhole() {
    return switch (this) {
      case Everything() -> true;
      case AtRandom _ -> false;
      case Rolling(Instant after, Instant until, Duration period) ->
          Duration.between(after, until).compareTo(period) >= 0;
    };
  }

  /**
   * Whether a stretch is read.
   *
   * @param overlay the overlay's key
   * @param at where in the disk the stretch begins
   */
  default boolean includes(ObjectKey overlay, long at) {
    long place = mixed(mixed(overlay.value().hashCode()) ^ at);
    return switch (this) {
      case Everything() -> true;
      case AtRandom(double percent, long seed) ->
          (mixed(place ^ mixed(seed)) >>> 11) * 0x1p-53 * ALL < percent;
      case Rolling(Instant after, Instant until, Duration period) -> {
        long length = period.toMillis();
        long from = after.toEpochMilli();
        long sinceItsMoment = Math.floorMod(from - Math.floorMod(place, length), length);
        yield from + (length - sinceItsMoment) <= until.toEpochMilli();
      }
    };
  }

  /** Spreads the bits of a number over all of another one: a step of splitmix64. */
  private static long mixed(long value) {
    long z = value + 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
