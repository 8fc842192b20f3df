package dev.cowbell.qcow2.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RequestPatternTest {

  @Test
  void steps_go_round_and_stay_on_the_disk() {
    RequestPattern steps = new RequestPattern(1000, 4096, 12_345, 512, OptionalLong.empty());
    assertThat(steps.at(0, 1 << 20)).isEqualTo(512);
    assertThat(steps.at(1, 1 << 20)).isEqualTo(512 + 12_345);
    for (int i = 0; i < 1000; i++) {
      assertThat(steps.at(i, 1 << 20)).isBetween(0L, (1L << 20) - 4096);
      assertThat(steps.at(i, 4096)).isZero();
    }
  }

  @Test
  void the_last_of_many_large_steps_is_on_the_disk() {
    RequestPattern steps =
        new RequestPattern(
            Integer.MAX_VALUE, 512, Integer.MAX_VALUE, 1L << 40, OptionalLong.empty());
    assertThat(steps.at(Integer.MAX_VALUE - 1, 1L << 41)).isBetween(0L, (1L << 41) - 512);
  }

  @Test
  void a_seed_gives_the_same_scattered_requests_each_time() {
    RequestPattern random = new RequestPattern(1000, 4096, 4096, 0, OptionalLong.of(7));
    Set<Long> places = new HashSet<>();
    for (int i = 0; i < 1000; i++) {
      long at = random.at(i, 1L << 30);
      assertThat(at % 4096).isZero();
      assertThat(at).isBetween(0L, (1L << 30) - 4096);
      assertThat(random.at(i, 1L << 30)).isEqualTo(at);
      places.add(at);
    }
    assertThat(places).hasSizeGreaterThan(990);
  }

  @Test
  void negative_numbers_are_refused() {
    assertThatThrownBy(() -> new RequestPattern(1, 0, 0, 0, OptionalLong.empty()))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
