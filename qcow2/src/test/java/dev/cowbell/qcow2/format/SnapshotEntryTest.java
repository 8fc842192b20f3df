package dev.cowbell.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class SnapshotEntryTest {
  private static SnapshotEntry entry(int extra) {
    byte[] extraData = new byte[extra];
    for (int i = 0; i < extra; i++) {
      extraData[i] = (byte) (i % 8 == 7 ? i / 8 + 1 : 0);
    }
    return new SnapshotEntry(
        4 << 16,
        9,
        1_700_000_000L,
        999_999_999,
        77,
        0xffff_ffffL,
        Bytes.copyOf(extraData),
        Bytes.utf8("1"),
        Bytes.utf8("vor dem Umbau ü"));
  }

  private static ByteBuffer encoded(SnapshotEntry... entries) {
    ByteBuffer table = ByteBuffer.allocate(1 << 16);
    for (SnapshotEntry entry : entries) {
      entry.encode(table);
    }
    return table.flip();
  }

  @Test
  void a_table_reads_back_as_it_was_written_with_unknown_extra_data() throws Exception {
    SnapshotEntry[] entries = {entry(0), entry(16), entry(24), entry(1024)};
    ByteBuffer table = encoded(entries);
    for (SnapshotEntry entry : entries) {
      assertThat(SnapshotEntry.decode(table)).isEqualTo(entry);
    }
    assertThat(table.hasRemaining()).isFalse();
  }

  @Test
  void extra_data_says_vm_state_size_disk_size_and_icount() {
    assertThat(entry(0).vmStateSize()).isEqualTo(0xffff_ffffL);
    assertThat(entry(0).diskSize()).isEmpty();
    assertThat(entry(24).vmStateSize()).isEqualTo(1);
    assertThat(entry(24).diskSize()).hasValue(2);
    assertThat(entry(24).icount()).hasValue(3);
  }

  @Test
  void rejects_more_than_1024_bytes_of_extra_data() {
    ByteBuffer table = encoded(entry(0));
    for (int length : new int[] {1025, -1}) {
      table.putInt(36, length);
      assertThatThrownBy(() -> SnapshotEntry.decode(table.duplicate()))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("bytes of extra data, allowed are 1024");
    }
  }

  @Test
  void rejects_an_entry_that_is_cut_off() {
    ByteBuffer table = encoded(entry(16));
    for (int length = 0; length < 40 + 16 + 1 + 16; length++) {
      ByteBuffer cut = table.slice(0, length);
      assertThatThrownBy(() -> SnapshotEntry.decode(cut))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("ends inside an entry");
    }
  }

  @Test
  void an_l1_table_over_32_mib_spoils_the_snapshot_but_not_the_table() throws Exception {
    ByteBuffer table = encoded(entry(16));
    table.putInt(8, -1);
    SnapshotEntry spoilt = SnapshotEntry.decode(table);
    assertThat(spoilt.l1Size()).isEqualTo(0xffff_ffffL);
    assertThatThrownBy(() -> spoilt.checkL1(new Geometry(16, false, RefcountWidth.DEFAULT), 1))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("has 4294967295 entries of 8 bytes, allowed are 33554432 bytes");
  }

  @Test
  void rejects_an_l1_table_too_small_for_the_snapshot_or_out_of_place() throws Exception {
    Geometry geometry = new Geometry(16, false, RefcountWidth.DEFAULT);
    entry(16).checkL1(geometry, 9 * geometry.l2Coverage());
    for (long size : new long[] {9 * geometry.l2Coverage() + 1, -1, Long.MIN_VALUE}) {
      assertThatThrownBy(() -> entry(16).checkL1(geometry, size))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("needs at least");
    }
    ByteBuffer table = encoded(entry(16));
    table.putLong(0, 513);
    SnapshotEntry misplaced = SnapshotEntry.decode(table);
    assertThatThrownBy(() -> misplaced.checkL1(geometry, 1))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("snapshot 1 at offset 513 is not aligned");
    table.putLong(0, 0);
    SnapshotEntry overHeader = SnapshotEntry.decode(table.rewind());
    assertThatThrownBy(() -> overHeader.checkL1(geometry, 1))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("snapshot 1 at offset 0 lies over the header");
  }
}
