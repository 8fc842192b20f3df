package dev.cowbell.agent.schedule;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Optional;

/** When something is due. Pure: what runs, and what is foretold, both come from {@link #after}. */
public sealed interface Timing permits CronTiming, IntervalTiming {

  /**
   * The first due time after {@code time}, in whole seconds.
   *
   * @return empty when there is none any more
   */
  Optional<Instant> after(Instant time);

  /** The zone whose wall clock is meant. */
  ZoneId zone();

  /** The timing without its zone as one line that {@link #parse} reads. */
  String text();

  /** The timing without its zone as the configuration has it, for people. */
  String shown();

  /**
   * Reads what {@link #text} wrote.
   *
   * @throws IllegalArgumentException when it is something else
   */
  static Timing parse(String text, String zone) {
    try {
      ZoneId id = ZoneId.of(zone);
      if (text.startsWith("cron ")) {
        return CronTiming.parse(text.substring(5), id);
      }
      if (text.startsWith("every ")) {
        return new IntervalTiming(Duration.parse(text.substring(6)), id);
      }
    } catch (DateTimeException e) {
      throw new IllegalArgumentException("not a timing: " + text + ", " + zone, e);
    }
    throw new IllegalArgumentException("not a timing: " + text);
  }
}
