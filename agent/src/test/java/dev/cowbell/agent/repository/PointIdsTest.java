package dev.cowbell.agent.repository;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PointIdsTest {

  private static final Instant NOW = Instant.parse("2026-03-04T05:06:07.89Z");

  private static PointId next(Optional<String> newest) {
    return new PointIds(Clock.fixed(NOW, ZoneOffset.UTC), RandomGenerator.of("L64X128MixRandom"))
        .next(newest.map(PointId::new));
  }

  @Test
  void names_the_present_second() {
    assertThat(next(Optional.empty()).value()).matches("20260304T050607Z-[0-9a-f]{4}");
    assertThat(next(Optional.of("20260304T050606Z-ffff")).value()).startsWith("20260304T050607Z-");
  }

  @Test
  void names_the_second_behind_the_newest_point_of_the_same_second() {
    assertThat(next(Optional.of("20260304T050607Z-0000")).value()).startsWith("20260304T050608Z-");
  }

  @Test
  void ids_increase_although_the_clock_went_backwards() {
    assertThat(next(Optional.of("20271231T235959Z-ffff")).value()).startsWith("20280101T000000Z-");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "latest",
        "20260304T050607Z-000G",
        "20261304T050607Z-0000",
        "20260304T250607Z-0000",
        "20260304T050607Z-00000",
        "../../20260304T050607"
      })
  void refuses_what_is_no_id(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> new PointId(text));
  }
}
