package dev.cowbell.bitmaps.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.testing.SeededRandom;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class BitmapDirectoryTest {

  private static final long DISK = 1L << 30;
  private static final int CLUSTER_BITS = 16;
  private static final BitmapEntry GOOD = BitmapEntry.valid("b0", 16, true, 0x50000, 1);

  @Test
  void encodes_an_entry_as_the_specification_says() {
    ByteBuffer bytes =
        new BitmapDirectory(List.of(GOOD.withFlag(BitmapEntry.IN_USE, true))).encode();
    assertThat(bytes.remaining()).isEqualTo(32);
    assertThat(bytes.getLong(0)).isEqualTo(0x50000);
    assertThat(bytes.getInt(8)).isEqualTo(1);
    assertThat(bytes.getInt(12)).isEqualTo(3);
    assertThat(bytes.get(16)).isEqualTo((byte) 1);
    assertThat(bytes.get(17)).isEqualTo((byte) 16);
    assertThat(bytes.getShort(18)).isEqualTo((short) 2);
    assertThat(bytes.getInt(20)).isZero();
    assertThat(bytes.getShort(24)).isEqualTo((short) 0x6230);
    assertThat(bytes.getShort(26)).isZero();
    assertThat(bytes.getInt(28)).isZero();
  }

  @Test
  void reads_back_whatever_directory_it_wrote(Random random) throws Exception {
    for (int round = 0; round < 200; round++) {
      List<BitmapEntry> entries = new ArrayList<>();
      int count = 1 + random.nextInt(20);
      for (int i = 0; i < count; i++) {
        entries.add(
            BitmapEntry.valid(
                    i + "ü€😀".repeat(random.nextInt(3)) + "n".repeat(random.nextInt(40)),
                    9 + random.nextInt(23),
                    random.nextBoolean(),
                    random.nextLong(1, 1L << 30) << CLUSTER_BITS,
                    1 + random.nextInt(100))
                .withFlag(BitmapEntry.IN_USE, random.nextBoolean()));
      }
      BitmapDirectory directory = new BitmapDirectory(entries);
      assertThat(directory.encodedSize()).isEqualTo(directory.encode().remaining());
      assertThat(BitmapDirectory.decode(directory.encode(), count)).isEqualTo(directory);
    }
  }

  @Test
  void keeps_the_bytes_of_names_that_are_not_utf_8(Random random) throws Exception {
    for (int round = 0; round < 500; round++) {
      byte[] name = new byte[1 + random.nextInt(12)];
      random.nextBytes(name);
      for (int i = 0; i < name.length; i++) {
        name[i] = name[i] == 0 ? (byte) 0xC3 : name[i];
      }
      String text = BitmapName.decode(ByteBuffer.wrap(name));
      assertThat(BitmapName.encode(text)).isEqualTo(name);
    }
    assertThat(BitmapName.decode(ByteBuffer.wrap("a\0b".getBytes(StandardCharsets.UTF_8))))
        .isEqualTo("a");
  }

  @Test
  void accepts_a_directory_within_all_limits() throws Exception {
    new BitmapDirectory(List.of(GOOD)).check(DISK, CLUSTER_BITS);
  }

  @Test
  void refuses_extra_data() {
    ByteBuffer bytes = new BitmapDirectory(List.of(GOOD)).encode();
    bytes.putInt(20, 4);
    assertThatThrownBy(() -> BitmapDirectory.decode(bytes, 1).check(DISK, CLUSTER_BITS))
        .isInstanceOf(BitmapFormatException.class)
        .hasMessageContaining("4 bytes of extra data");
  }

  @Test
  void refuses_each_field_beyond_its_limits() {
    rejects(e -> e.withFlag(BitmapEntry.EXTRA_DATA_COMPATIBLE, true), "flags 0x6");
    rejects(e -> e.withTable(0, 1), "table at 0x0");
    rejects(e -> e.withTable(0x8000, 1), "table at 0x8000");
    rejects(e -> e.withTable(-0x10000L, 1), "table at 0xffffffffffff0000");
    rejects(e -> e.withTable(0x7FFF_FFFF_FFFF_0000L, 8192), "behind any file");
    rejects(e -> e.withTable(0x50000, 0), "table of 0 entries");
    rejects(e -> e.withTable(0x50000, 2), "needs exactly 1");
    rejects(e -> e.withTable(0x50000, 8193), "536936448 bytes of bits");
    rejects(e -> new BitmapEntry(0x50000, 0xFFFF_FFFFL, 3, 1, 16, "b0", 0), "4294967295 entries");
    rejects(e -> new BitmapEntry(0x50000, 1, 2, 0, 16, "b0", 0), "type 0");
    rejects(e -> new BitmapEntry(0x50000, 1, 2, 1, 8, "b0", 0), "granularity 2^8");
    rejects(e -> new BitmapEntry(0x50000, 1, 2, 1, 32, "b0", 0), "granularity 2^32");
    rejects(e -> new BitmapEntry(0x50000, 1, 2, 1, 16, "n".repeat(1024), 0), "1024 bytes");
  }

  private static void rejects(UnaryOperator<BitmapEntry> change, String message) {
    BitmapDirectory directory = new BitmapDirectory(List.of(change.apply(GOOD)));
    assertThatThrownBy(() -> directory.check(DISK, CLUSTER_BITS))
        .isInstanceOf(BitmapFormatException.class)
        .hasMessageContaining(message);
  }

  @Test
  void allows_a_table_of_another_length_while_in_use() throws Exception {
    BitmapEntry stale = GOOD.withTable(0x50000, 7).withFlag(BitmapEntry.IN_USE, true);
    new BitmapDirectory(List.of(stale)).check(DISK, CLUSTER_BITS);
  }

  @Test
  void refuses_two_bitmaps_of_one_name() {
    assertThatThrownBy(() -> new BitmapDirectory(List.of(GOOD, GOOD)).check(DISK, CLUSTER_BITS))
        .isInstanceOf(BitmapFormatException.class)
        .hasMessage("two bitmaps are named 'b0'");
  }

  @Test
  void refuses_a_count_that_differs_from_the_header() {
    ByteBuffer two =
        new BitmapDirectory(List.of(GOOD, BitmapEntry.valid("b1", 9, false, 0x60000, 1))).encode();
    assertThatThrownBy(() -> BitmapDirectory.decode(two, 1)).hasMessageContaining("goes on");
    assertThatThrownBy(() -> BitmapDirectory.decode(two, 3)).hasMessageContaining("holds 2");
  }

  @Test
  void refuses_entries_that_leave_the_directory() {
    ByteBuffer bytes = new BitmapDirectory(List.of(GOOD)).encode();
    assertThatThrownBy(() -> BitmapDirectory.decode(bytes.slice(0, 23), 1))
        .hasMessageContaining("ends inside");
    assertThatThrownBy(() -> BitmapDirectory.decode(bytes.slice(0, 31), 1))
        .hasMessageContaining("claims 32 bytes; 31 are left");
    bytes.putInt(20, -1);
    assertThatThrownBy(() -> BitmapDirectory.decode(bytes, 1))
        .hasMessageContaining("claims 4294967328 bytes");
  }

  @Test
  void survives_random_damage_with_nothing_but_format_errors(Random random) {
    ByteBuffer good =
        new BitmapDirectory(List.of(GOOD, BitmapEntry.valid("second", 12, false, 0x60000, 8)))
            .encode();
    for (int round = 0; round < 20_000; round++) {
      byte[] bytes = new byte[good.remaining()];
      good.duplicate().get(bytes);
      for (int i = random.nextInt(4); i >= 0; i--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      }
      try {
        BitmapDirectory.decode(ByteBuffer.wrap(bytes), 2).check(DISK, CLUSTER_BITS);
      } catch (BitmapFormatException expected) {
        assertThat(expected.getMessage()).isNotEmpty();
      }
    }
  }
}
