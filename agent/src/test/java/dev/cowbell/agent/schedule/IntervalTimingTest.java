package dev.cowbell.agent.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;

final class IntervalTimingTest {

  private static final ZoneId VIENNA = ZoneId.of("Europe/Vienna");

  @Test
  void hours_are_due_on_the_hour_whenever_the_agent_started() {
    IntervalTiming hourly = new IntervalTiming(Duration.ofHours(1), VIENNA);
    assertThat(hourly.after(Instant.parse("2026-11-22T12:34:56Z")))
        .contains(Instant.parse("2026-11-22T13:00:00Z"));
    assertThat(hourly.after(Instant.parse("2026-11-22T13:00:00Z")))
        .contains(Instant.parse("2026-11-22T14:00:00Z"));
    assertThat(hourly.after(Instant.parse("1999-12-31T23:30:00Z")))
        .contains(Instant.parse("2000-01-01T00:00:00Z"));
  }

  @Test
  void days_keep_to_midnight_when_the_clocks_change() {
    IntervalTiming daily = new IntervalTiming(Duration.ofDays(1), VIENNA);
    assertThat(daily.after(Instant.parse("2026-03-28T23:00:00Z")))
        .contains(Instant.parse("2026-03-29T22:00:00Z"));
    assertThat(daily.after(Instant.parse("2026-10-24T22:00:00Z")))
        .contains(Instant.parse("2026-10-25T23:00:00Z"));
  }

  @Test
  void weeks_begin_on_monday() {
    IntervalTiming weekly = new IntervalTiming(Duration.ofDays(7), ZoneOffset.UTC);
    assertThat(weekly.after(Instant.parse("2026-11-22T12:00:00Z")))
        .contains(Instant.parse("2026-11-23T00:00:00Z"));
    assertThat(weekly.after(Instant.parse("2026-11-23T00:00:00Z")))
        .contains(Instant.parse("2026-11-30T00:00:00Z"));
  }

  @Test
  void refuses_what_is_too_short_or_too_long() {
    for (Duration every :
        new Duration[] {
          Duration.ZERO, Duration.ofSeconds(59), Duration.ofDays(367), Duration.ofMillis(60_001)
        }) {
      assertThatThrownBy(() -> new IntervalTiming(every, VIENNA))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
