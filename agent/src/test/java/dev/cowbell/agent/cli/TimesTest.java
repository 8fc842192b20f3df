package dev.cowbell.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.ZoneId;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TimesTest {

  private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");

  @ParameterizedTest
  @CsvSource({
    "2026-05-01T12:00:00Z, 2026-05-01T12:00:00Z",
    "2026-05-01T12:00:00+02:00, 2026-05-01T10:00:00Z",
    "2026-05-01T12:00:00.5Z, 2026-05-01T12:00:00.500Z",
    "2026-05-01T12:00, 2026-05-01T10:00:00Z",
    "2026-05-01, 2026-04-30T22:00:00Z"
  })
  void reads_iso_8601_and_takes_a_missing_offset_as_local(String text, String instant) {
    assertThat(Times.parse(text, BERLIN)).hasToString(instant);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "yesterday", "12:00", "2026-13-01", "2026-05-01T25:00:00Z"})
  void refuses_anything_else(String text) {
    assertThatThrownBy(() -> Times.parse(text, BERLIN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("is not a time");
  }
}
