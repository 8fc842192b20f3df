package dev.cowbell.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.CorruptImageException;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;

class L2EntryTest {
  private static final Geometry STANDARD = new Geometry(16, false, RefcountWidth.DEFAULT);
  private static final Geometry EXTENDED = new Geometry(16, true, RefcountWidth.DEFAULT);
  private static final L2Rules RULES = new L2Rules(STANDARD, 3, false);
  private static final L2Rules EXTENDED_RULES = new L2Rules(EXTENDED, 3, false);
  private static final L2Rules DATA_FILE_RULES = new L2Rules(STANDARD, 3, true);

  private static void rejects(L2Entry entry, L2Rules rules, String message) {
    assertThatThrownBy(() -> entry.mapping(rules, 0, 0))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining(message);
  }

  @Test
  void standard_entries_mean_what_they_were_made_for() throws Exception {
    assertThat(L2Entry.data(5 << 16, true).mapping(RULES, 0, 0))
        .isEqualTo(new Mapping.Data(5 << 16));
    assertThat(L2Entry.zeroAllocated(5 << 16, true).mapping(RULES, 0, 0))
        .isEqualTo(new Mapping.Zero(OptionalLong.of(5 << 16)));
    assertThat(L2Entry.ZERO_PLAIN.mapping(RULES, 0, 0)).isEqualTo(Mapping.ZERO);
    assertThat(L2Entry.UNALLOCATED.mapping(RULES, 0, 0)).isEqualTo(Mapping.UNALLOCATED);
  }

  @Test
  void subclusters_mean_what_their_bits_say() throws Exception {
    L2Entry entry = L2Entry.extended(5 << 16, true, 0b0001, 0b1000);
    assertThat(entry.mapping(EXTENDED_RULES, 0, 0)).isEqualTo(new Mapping.Data(5 << 16));
    assertThat(entry.mapping(EXTENDED_RULES, 0, 1))
        .isEqualTo(new Mapping.Unallocated(OptionalLong.of((5 << 16) + 2048)));
    assertThat(entry.mapping(EXTENDED_RULES, 0, 3))
        .isEqualTo(new Mapping.Zero(OptionalLong.of((5 << 16) + 3 * 2048)));
    assertThat(L2Entry.EXTENDED_ZERO_PLAIN.mapping(EXTENDED_RULES, 0, 31)).isEqualTo(Mapping.ZERO);
  }

  @Test
  void bit_0_of_an_extended_entry_means_nothing() throws Exception {
    L2Entry entry = new L2Entry((5 << 16) | 1, 1);
    assertThat(entry.mapping(EXTENDED_RULES, 0, 0)).isEqualTo(new Mapping.Data(5 << 16));
    assertThat(entry.reserved(true)).isEqualTo(1);
  }

  @Test
  void reserved_bits_are_ignored_but_can_be_found() throws Exception {
    L2Entry entry = new L2Entry(L2Entry.data(5 << 16, true).word() | 1L << 60 | 4, 0);
    assertThat(entry.mapping(RULES, 0, 0)).isEqualTo(new Mapping.Data(5 << 16));
    assertThat(entry.reserved(false)).isEqualTo(1L << 60 | 4);
  }

  @Test
  void offset_0_of_a_data_file_is_data_when_copied() throws Exception {
    assertThat(L2Entry.data(0, true).mapping(DATA_FILE_RULES, 0, 0)).isEqualTo(new Mapping.Data(0));
    assertThat(L2Entry.UNALLOCATED.mapping(DATA_FILE_RULES, 0, 0)).isEqualTo(Mapping.UNALLOCATED);
  }

  @Test
  void rejects_what_qemu_answers_with_an_error() {
    rejects(L2Entry.data(512, true), RULES, "not cluster-aligned");
    rejects(L2Entry.ZERO_PLAIN, new L2Rules(STANDARD, 2, false), "version 2");
    rejects(new L2Entry(5 << 16, 1L << 32 | 1), EXTENDED_RULES, "both allocated and zero");
    rejects(new L2Entry(0, 1), EXTENDED_RULES, "no host cluster");
    rejects(L2Entry.data(1 << 16, true), DATA_FILE_RULES, "elsewhere");
    rejects(new L2Entry(1L << 62, 0), DATA_FILE_RULES, "external data file rules out");
  }

  @Test
  void compressed_descriptors_read_back_for_every_cluster_size() {
    Random random = new Random(1);
    for (int bits = 9; bits <= 21; bits++) {
      Geometry geometry = new Geometry(bits, false, RefcountWidth.DEFAULT);
      for (int i = 0; i < 200; i++) {
        long offset = random.nextLong(CompressedDescriptor.maxHostOffset(geometry) + 1);
        int sectors = random.nextInt(1 << (bits - 8));
        int length = (sectors + 1) * 512 - (int) (offset & 511);
        CompressedDescriptor made = new CompressedDescriptor(offset, length);
        L2Entry entry = L2Entry.compressed(made, geometry);
        assertThat(L2Entry.isCompressed(entry.word())).isTrue();
        assertThat(CompressedDescriptor.decode(entry.word(), geometry)).isEqualTo(made);
      }
    }
  }

  @Test
  void a_shorter_stream_takes_the_sectors_it_touches() {
    long word = new CompressedDescriptor(1000, 100).encode(STANDARD);
    assertThat(CompressedDescriptor.decode(word, STANDARD))
        .isEqualTo(new CompressedDescriptor(1000, 1024 + 512 - 1000));
  }

  @Test
  void a_descriptor_refuses_what_it_can_not_hold() {
    long tooFar = CompressedDescriptor.maxHostOffset(STANDARD) + 1;
    assertThatThrownBy(() -> new CompressedDescriptor(tooFar, 1).encode(STANDARD))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new CompressedDescriptor(0, (2 << 16) + 1).encode(STANDARD))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void l1_entries_keep_offset_and_flag_apart() {
    L1Entry entry = L1Entry.of(7 << 16, true);
    assertThat(entry.offset()).isEqualTo(7 << 16);
    assertThat(entry.copied()).isTrue();
    assertThat(entry.reserved()).isZero();
    assertThat(new L1Entry(1L << 58 | 3).reserved()).isEqualTo(1L << 58 | 3);
  }
}
