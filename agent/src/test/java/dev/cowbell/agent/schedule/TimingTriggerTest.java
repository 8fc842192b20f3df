package dev.cowbell.agent.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

final class TimingTriggerTest {

  private static final Instant DUE = Instant.parse("2026-01-02T12:00:00Z");

  /** The first times at which a trigger fires that counts from a moment. */
  private static List<Instant> fires(Timing timing, Instant start) {
    TimingTrigger trigger =
        new TimingTrigger(new TimingTrigger.Spec(timing, MisfirePolicy.RUN_ONCE));
    trigger.setStartTime(Date.from(start));
    List<Instant> fires = new ArrayList<>();
    var _ = trigger.computeFirstFireTime(null);
    for (int i = 0; i < 3; i++) {
      fires.add(Objects.requireNonNull(trigger.getNextFireTime()).toInstant());
      trigger.triggered(null);
    }
    return fires;
  }

  @Test
  void fires_once_for_each_due_time_wherever_in_a_second_it_begins_to_count() {
    for (Timing timing :
        List.of(
            CronTiming.parse("0/10 * * * * ?", ZoneOffset.UTC),
            CronTiming.parse("* * * * *", ZoneOffset.UTC),
            new IntervalTiming(Duration.ofMinutes(1), ZoneOffset.UTC))) {
      Duration step = Duration.between(DUE, timing.after(DUE).orElseThrow());
      for (int millis : new int[] {-1000, -999, -500, -1, 0}) {
        assertThat(fires(timing, DUE.plusMillis(millis)))
            .as("%s from %d ms", timing, millis)
            .containsExactly(DUE, DUE.plus(step), DUE.plus(step.multipliedBy(2)));
      }
      for (int millis : new int[] {1, 4, 500, 999, 1000}) {
        assertThat(fires(timing, DUE.plusMillis(millis)))
            .as("%s from %d ms", timing, millis)
            .containsExactly(
                DUE.plus(step), DUE.plus(step.multipliedBy(2)), DUE.plus(step.multipliedBy(3)));
      }
    }
  }
}
