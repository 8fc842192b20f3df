package dev.cowbell.agent.repository;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Names a restore point: {@code YYYYMMDDTHHMMSSZ-xxxx}, UTC and four hex digits. Later points of a
 * VM have greater ids, so the order of ids is the order of points.
 *
 * @param value 21 characters
 */
public record PointId(String value) implements Comparable<PointId> {

  private static final Pattern SHAPE = Pattern.compile("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}");
  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);
  private static final int TIME_LENGTH = 16;

  /**
   * @throws IllegalArgumentException if the text is not a point id
   */
  public PointId {
    if (!SHAPE.matcher(value).matches() || timeOf(value).isEmpty()) {
      throw new IllegalArgumentException(
          "not a point id: \"%s\" (YYYYMMDDTHHMMSSZ-xxxx)".formatted(Names.shown(value)));
    }
  }

  /**
   * The id for a second and a number.
   *
   * @param time years 0 to 9999; fractions of a second are dropped
   * @param number its low 16 bits count
   */
  static PointId of(Instant time, int number) {
    return new PointId(SECONDS.format(time) + "-%04x".formatted(number & 0xffff));
  }

  private static Optional<Instant> timeOf(String value) {
    try {
      return Optional.of(
          LocalDateTime.parse(value.substring(0, TIME_LENGTH), SECONDS).toInstant(ZoneOffset.UTC));
    } catch (DateTimeException e) {
      return Optional.empty();
    }
  }

  /** The second that the id names. The manifest tells the time of the point itself. */
  public Instant second() {
    return timeOf(value).orElseThrow();
  }

  @Override
  public int compareTo(PointId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
