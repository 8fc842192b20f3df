package dev.cowbell.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ByteSizeTest {

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "512, 512",
    "512B, 512",
    "64K, 65536",
    "64k, 65536",
    "64KiB, 65536",
    "64KB, 65536",
    "1.5G, 1610612736",
    "10T, 10995116277760",
    "7E, 8070450532247928832",
    "9223372036854775807, 9223372036854775807"
  })
  void reads_sizes_with_units_of_1024(String text, long bytes) {
    assertThat(ByteSize.parse(text).bytes()).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "K", "-1", "1.5", "0x10", "1 G", "64KK", "iB", "1e3", "٣K"})
  void refuses_what_is_no_size(String text) {
    assertThatThrownBy(() -> ByteSize.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("is not a size");
  }

  @ParameterizedTest
  @ValueSource(strings = {"8E", "9223372036854775808", "9999999999999999999T"})
  void refuses_sizes_past_63_bits(String text) {
    assertThatThrownBy(() -> ByteSize.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("too large");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "512, 512 B",
    "1000, 0.977 KiB",
    "196608, 192 KiB",
    "1048576, 1 MiB",
    "999, 999 B",
    "1018, 0.994 KiB",
    "1029, 1 KiB",
    "1034, 1.01 KiB",
    "10348, 10.1 KiB",
    "1023488, 1000 KiB",
    "1610612736, 1.5 GiB",
    "10995116277760, 10 TiB",
    "9223372036854775807, 8 EiB"
  })
  void writes_sizes_as_qemu_img_does(long bytes, String text) {
    assertThat(ByteSize.human(bytes)).isEqualTo(text);
  }

  @Test
  void a_size_is_never_negative() {
    assertThatThrownBy(() -> new ByteSize(-1)).isInstanceOf(IllegalArgumentException.class);
  }
}
