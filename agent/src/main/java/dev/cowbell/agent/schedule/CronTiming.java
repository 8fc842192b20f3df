package dev.cowbell.agent.schedule;

import java.text.ParseException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.zone.ZoneOffsetTransition;
import java.time.zone.ZoneRules;
import java.util.Date;
import java.util.Optional;
import java.util.TimeZone;
import org.jspecify.annotations.Nullable;
import org.quartz.CronExpression;

/**
 * Due when the wall clock of a zone matches a cron expression.
 *
 * <p>No run is lost or doubled when the clocks change, which the expression alone would do: a time
 * that is skipped in spring is due as much later as the clocks are set ahead; of a time that comes
 * twice in autumn the first counts, unless the expression asks for every hour.
 */
public final class CronTiming implements Timing {

  /** Enough for every zone change between now and the end of all calendars that matter. */
  private static final int MAX_TRANSITIONS = 400;

  private final String expression;
  private final ZoneId zone;

  /** Evaluated on UTC, so that it sees plain local times. */
  private final CronExpression local;

  private CronTiming(String expression, ZoneId zone, CronExpression local) {
    this.expression = expression;
    this.zone = zone;
    this.local = local;
  }

  /**
   * Reads five fields as in crontab(5), or six or seven as Quartz has them (seconds first).
   *
   * @throws IllegalArgumentException saying what is wrong
   */
  public static CronTiming parse(String expression, ZoneId zone) {
    try {
      CronExpression local = new CronExpression(CronText.toQuartz(expression));
      local.setTimeZone(TimeZone.getTimeZone("UTC"));
      return new CronTiming(expression, zone, local);
    } catch (ParseException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  @Override
  public ZoneId zone() {
    return zone;
  }

  @Override
  public Optional<Instant> after(Instant time) {
    ZoneRules rules = zone.getRules();
    Instant from = time;
    for (int i = 0; i < MAX_TRANSITIONS; i++) {
      // What is due is decided at the second after, so a change of clocks at that second counts.
      Instant inside = from.plusSeconds(1);
      ZoneOffset offset = rules.getOffset(inside);
      @Nullable ZoneOffsetTransition last = rules.previousTransition(inside.plusNanos(1));
      @Nullable ZoneOffsetTransition next = rules.nextTransition(inside);
      @Nullable LocalDateTime due = localAfter(notRepeated(from, offset, last));
      @Nullable Instant found = due == null ? null : due.toInstant(offset);
      @Nullable Instant late = skippedBy(last, from);
      if (late != null && (found == null || late.isBefore(found))) {
        return Optional.of(late);
      }
      if (found != null && (next == null || found.isBefore(next.getInstant()))) {
        return Optional.of(found);
      }
      if (next == null || due == null) {
        return Optional.empty();
      }
      from = next.getInstant().minusSeconds(1);
    }
    return Optional.empty();
  }

  /** The local time to look on from, past the times that were due before the clocks went back. */
  private LocalDateTime notRepeated(
      Instant from, ZoneOffset offset, @Nullable ZoneOffsetTransition last) {
    LocalDateTime here = LocalDateTime.ofEpochSecond(from.getEpochSecond(), 0, offset);
    if (last == null || !last.isOverlap() || isEveryHour()) {
      return here;
    }
    LocalDateTime repeatedUntil = last.getDateTimeBefore().minusSeconds(1);
    return here.isBefore(repeatedUntil) ? repeatedUntil : here;
  }

  /**
   * What was due in the hour that {@code last} skipped, if it is still to come after {@code from}.
   */
  private @Nullable Instant skippedBy(@Nullable ZoneOffsetTransition last, Instant from) {
    if (last == null || !last.isGap()) {
      return null;
    }
    ZoneOffset before = last.getOffsetBefore();
    LocalDateTime due = localAfter(LocalDateTime.ofEpochSecond(from.getEpochSecond(), 0, before));
    return due != null && due.isBefore(last.getDateTimeAfter()) ? due.toInstant(before) : null;
  }

  private boolean isEveryHour() {
    return local.getCronExpression().split("\\s+", -1)[2].equals("*");
  }

  private @Nullable LocalDateTime localAfter(LocalDateTime time) {
    Date next = local.getNextValidTimeAfter(Date.from(time.toInstant(ZoneOffset.UTC)));
    return next == null ? null : LocalDateTime.ofInstant(next.toInstant(), ZoneOffset.UTC);
  }

  @Override
  public String text() {
    return "cron " + expression;
  }

  @Override
  public String shown() {
    return text();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CronTiming that
        && expression.equals(that.expression)
        && zone.equals(that.zone);
  }

  @Override
  public int hashCode() {
    return 31 * expression.hashCode() + zone.hashCode();
  }

  @Override
  public String toString() {
    return text() + " (" + zone + ")";
  }
}
