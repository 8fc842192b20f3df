package dev.cowbell.agent.schedule;

import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Date;
import org.jspecify.annotations.Nullable;
import org.quartz.Calendar;
import org.quartz.ScheduleBuilder;
import org.quartz.impl.triggers.AbstractTrigger;
import org.quartz.impl.triggers.CoreTrigger;
import org.quartz.spi.MutableTrigger;

/**
 * A Quartz trigger that fires when a {@link Timing} is due. Quartz's own cron trigger leaves out
 * the day on which the clocks skip its hour, so the due times are computed here.
 *
 * <p>When it fired late, in place of all that was missed, its scheduled time is the time of the
 * decision to fire, which is no due time of the timing.
 */
final class TimingTrigger extends AbstractTrigger<TimingTrigger> implements CoreTrigger {

  private static final long serialVersionUID = 1L;

  /** Quartz compares fire times with the machine's clock and asks no other. */
  private static final InstantSource MACHINE = InstantSource.system();

  /** How a timing and its misfire policy are written down by a job store. */
  record Spec(Timing timing, MisfirePolicy misfire) implements java.io.Serializable {}

  private final Spec spec;
  private @Nullable Date startTime;
  private @Nullable Date endTime;
  private @Nullable Date nextFireTime;
  private @Nullable Date previousFireTime;

  TimingTrigger(Spec spec) {
    this.spec = spec;
  }

  /** Builds such triggers for {@code TriggerBuilder}. */
  static ScheduleBuilder<TimingTrigger> of(Timing timing, MisfirePolicy misfire) {
    return new ScheduleBuilder<>() {
      @Override
      protected MutableTrigger build() {
        return new TimingTrigger(new Spec(timing, misfire));
      }
    };
  }

  Spec spec() {
    return spec;
  }

  @Override
  public @Nullable Date getFireTimeAfter(@Nullable Date afterTime) {
    Instant from = afterTime == null ? MACHINE.instant() : afterTime.toInstant();
    Date start = startTime;
    if (start != null && start.toInstant().isAfter(from)) {
      // a due time within the second before the start is before it, and must not come again
      from = start.toInstant().minusNanos(1).truncatedTo(ChronoUnit.SECONDS);
    }
    return spec.timing().after(from).map(Date::from).orElse(null);
  }

  @Override
  public void triggered(@Nullable Calendar calendar) {
    previousFireTime = nextFireTime;
    nextFireTime = getFireTimeAfter(nextFireTime);
  }

  @Override
  public @Nullable Date computeFirstFireTime(@Nullable Calendar calendar) {
    Date start = startTime == null ? Date.from(MACHINE.instant()) : startTime;
    nextFireTime = getFireTimeAfter(Date.from(start.toInstant().minusSeconds(1)));
    return nextFireTime;
  }

  @Override
  public void updateAfterMisfire(@Nullable Calendar calendar) {
    nextFireTime =
        switch (spec.misfire()) {
          case RUN_ONCE -> Date.from(MACHINE.instant());
          case SKIP -> getFireTimeAfter(Date.from(MACHINE.instant()));
        };
  }

  @Override
  public void updateWithNewCalendar(@Nullable Calendar calendar, long misfireThreshold) {
    // Windows are no Quartz calendars, so nothing depends on one.
  }

  @Override
  public boolean mayFireAgain() {
    return nextFireTime != null;
  }

  @Override
  protected boolean validateMisfireInstruction(int candidate) {
    return candidate == MISFIRE_INSTRUCTION_SMART_POLICY;
  }

  @Override
  public ScheduleBuilder<TimingTrigger> getScheduleBuilder() {
    return of(spec.timing(), spec.misfire());
  }

  @Override
  public boolean hasAdditionalProperties() {
    return false;
  }

  @Override
  public @Nullable Date getStartTime() {
    return startTime;
  }

  @Override
  public void setStartTime(@Nullable Date time) {
    startTime = time;
  }

  @Override
  public @Nullable Date getEndTime() {
    return endTime;
  }

  @Override
  public void setEndTime(@Nullable Date time) {
    endTime = time;
  }

  @Override
  public @Nullable Date getNextFireTime() {
    return nextFireTime;
  }

  @Override
  public void setNextFireTime(@Nullable Date time) {
    nextFireTime = time;
  }

  @Override
  public @Nullable Date getPreviousFireTime() {
    return previousFireTime;
  }

  @Override
  public void setPreviousFireTime(@Nullable Date time) {
    previousFireTime = time;
  }

  @Override
  public @Nullable Date getFinalFireTime() {
    return null; // timings have no foreseeable end
  }
}
