package dev.cowbell.agent.retention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import org.junit.jupiter.api.Test;

final class CalendarSpanTest {

  @Test
  void reads_every_unit_and_prints_it_again() {
    assertThat(CalendarSpan.parse("2y3mo4d5h").toString()).isEqualTo("2y3mo4d5h");
    assertThat(CalendarSpan.parse("2w").toString()).isEqualTo("14d");
  }

  @Test
  void a_day_is_a_calendar_day_also_when_the_clocks_change() {
    Instant noonAfterTheChange = Instant.parse("2026-03-29T10:00:00Z");
    assertThat(CalendarSpan.parse("1d").before(noonAfterTheChange, ZoneId.of("Europe/Vienna")))
        .isEqualTo(Instant.parse("2026-03-28T11:00:00Z"));
    assertThat(CalendarSpan.parse("24h").before(noonAfterTheChange, ZoneId.of("Europe/Vienna")))
        .isEqualTo(Instant.parse("2026-03-28T10:00:00Z"));
  }

  @Test
  void knows_the_longer_of_two_unless_that_depends_on_the_month() {
    CalendarSpan month = CalendarSpan.parse("1mo");
    assertThat(month.longest(CalendarSpan.parse("32d"))).contains(CalendarSpan.parse("32d"));
    assertThat(month.longest(CalendarSpan.parse("4w"))).contains(month);
    assertThat(CalendarSpan.parse("25h").longest(CalendarSpan.parse("1d")))
        .contains(CalendarSpan.parse("25h"));
    assertThat(month.longest(CalendarSpan.parse("30d"))).isEmpty();
  }

  @Test
  void refuses_what_it_cannot_read() {
    for (String text :
        List.of("", "30", "d", "30m", "30D", "-1d", "0d", "1h1d", "99999999999d", " 1d", "1.5d")) {
      assertThatThrownBy(() -> CalendarSpan.parse(text))
          .as(text)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("must be");
    }
  }
}
