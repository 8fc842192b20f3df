package dev.cowbell.agent.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class AllowedWindowsTest {

  private static final ZoneId VIENNA = ZoneId.of("Europe/Vienna");

  @Test
  void without_windows_everything_is_allowed() {
    AllowedWindows always = AllowedWindows.always(VIENNA);
    assertThat(always.allow(Instant.EPOCH)).isTrue();
    assertThat(always.closing(Instant.EPOCH)).isEmpty();
    assertThat(always.nextAllowed(Instant.EPOCH)).contains(Instant.EPOCH);
  }

  @Test
  void a_window_over_midnight_belongs_to_the_day_it_begins() {
    AllowedWindows friday = windows("fri 22:00-06:00"); // 2026-11-20 is a Friday
    assertThat(friday.allow(Instant.parse("2026-11-20T20:59:59Z"))).isFalse();
    assertThat(friday.allow(Instant.parse("2026-11-20T21:00:00Z"))).isTrue();
    assertThat(friday.allow(Instant.parse("2026-11-21T04:59:59Z"))).isTrue();
    assertThat(friday.allow(Instant.parse("2026-11-21T05:00:00Z"))).isFalse();
    assertThat(friday.closing(Instant.parse("2026-11-21T00:00:00Z")))
        .contains(Instant.parse("2026-11-21T05:00:00Z"));
    assertThat(friday.nextAllowed(Instant.parse("2026-11-21T05:00:00Z")))
        .contains(Instant.parse("2026-11-27T21:00:00Z"));
  }

  @Test
  void overlapping_windows_close_with_the_last() {
    assertThat(windows("20:00-23:00", "22:00-02:00").closing(Instant.parse("2026-11-20T21:30:00Z")))
        .contains(Instant.parse("2026-11-21T01:00:00Z"));
  }

  @Test
  void the_whole_day_is_open_also_when_it_has_23_hours() {
    AllowedWindows sunday = windows("sun 00:00-24:00");
    assertThat(sunday.nextAllowed(Instant.parse("2026-03-28T12:00:00Z")))
        .contains(Instant.parse("2026-03-28T23:00:00Z"));
    assertThat(sunday.closing(Instant.parse("2026-03-29T12:00:00Z")))
        .contains(Instant.parse("2026-03-29T22:00:00Z"));
  }

  @Test
  void day_ranges_wrap_around_the_week() {
    assertThat(Window.parse("sat-mon,wed 10:00-11:00").days()).hasSize(4);
  }

  @Test
  void refuses_what_is_no_window() {
    for (String text :
        List.of(
            "",
            "22-06",
            "22:00",
            "25:00-06:00",
            "10:00-10:00",
            "24:00-06:00",
            "mo 10:00-11:00",
            "mon-tue-wed 10:00-11:00",
            "foo 10:00-11:00",
            "10:00 - 11:00")) {
      assertThatThrownBy(() -> Window.parse(text))
          .as(text)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private static AllowedWindows windows(String... texts) {
    return new AllowedWindows(Arrays.stream(texts).map(Window::parse).toList(), VIENNA);
  }
}
