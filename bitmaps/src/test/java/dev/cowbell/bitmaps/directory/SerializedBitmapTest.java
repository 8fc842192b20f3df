package dev.cowbell.bitmaps.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.directory.SerializedBitmap.Form;
import dev.cowbell.bitmaps.testing.SeededRandom;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class SerializedBitmapTest {

  @Test
  void puts_the_first_granule_into_the_lowest_bit_of_the_first_byte() {
    DirtyBitmap bitmap = new DirtyBitmap(1 << 20, 9);
    bitmap.set(0, 1);
    bitmap.set(9 * 512, 1);
    ByteBuffer cluster = ByteBuffer.allocate(512);
    SerializedBitmap.encode(bitmap, 0, 9, cluster);
    assertThat(cluster.get(0)).isEqualTo((byte) 1);
    assertThat(cluster.get(1)).isEqualTo((byte) 2);
  }

  @Test
  void counts_table_entries_up_to_the_largest_disk() {
    assertThat(SerializedBitmap.tableLength(0, 16, 16)).isZero();
    assertThat(SerializedBitmap.tableLength(1, 16, 16)).isEqualTo(1);
    assertThat(SerializedBitmap.tableLength(1L << 35, 16, 16)).isEqualTo(1);
    assertThat(SerializedBitmap.tableLength((1L << 35) + 1, 16, 16)).isEqualTo(2);
    assertThat(SerializedBitmap.tableLength(Long.MAX_VALUE, 9, 9)).isEqualTo(1L << 42);
    assertThat(SerializedBitmap.tableLength(Long.MAX_VALUE, 31, 21)).isEqualTo(256);
  }

  @Test
  void refuses_bitmaps_that_qemu_could_not_store() throws Exception {
    SerializedBitmap.checkStorable(1L << 41, 9, 16);
    assertThatThrownBy(() -> SerializedBitmap.checkStorable((1L << 41) + 1, 9, 16))
        .isInstanceOf(BitmapFormatException.class)
        .hasMessageContaining("larger granularity");
    assertThatThrownBy(() -> SerializedBitmap.checkStorable(0, 16, 16))
        .isInstanceOf(BitmapFormatException.class);
    assertThatThrownBy(() -> SerializedBitmap.checkStorable(1, 8, 16))
        .isInstanceOf(BitmapFormatException.class);
    assertThatThrownBy(() -> SerializedBitmap.checkStorable(1, 32, 16))
        .isInstanceOf(BitmapFormatException.class);
  }

  @Test
  void refuses_table_entries_with_reserved_bits_or_odd_offsets() throws Exception {
    assertThat(BitmapTable.decode(words(1), 16).isAllOnes(0)).isTrue();
    assertThat(BitmapTable.decode(words(0), 16).isAllZeroes(0)).isTrue();
    assertThat(BitmapTable.decode(words(0x50000), 16).dataOffset(0)).isEqualTo(0x50000);
    for (long bad : new long[] {2, 0x100, 1L << 56, 1L << 63, 0x50001, 0x8000, 0x50200}) {
      assertThatThrownBy(() -> BitmapTable.decode(words(0, bad), 16))
          .isInstanceOf(BitmapFormatException.class)
          .hasMessageContaining("entry 1");
    }
  }

  private static ByteBuffer words(long... words) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * words.length);
    for (long word : words) {
      bytes.putLong(word);
    }
    return bytes.flip();
  }

  @Test
  void reads_back_every_part_in_its_form(Random random) throws Exception {
    for (int round = 0; round < 100; round++) {
      int clusterBits = 9 + random.nextInt(4);
      int granularityBits = 9 + random.nextInt(23);
      int shift = SerializedBitmap.coverageShift(granularityBits, clusterBits);
      long size = random.nextLong(6L << shift) + 1;
      DirtyBitmap bitmap = new DirtyBitmap(size, granularityBits);
      for (int i = 0; i < 4; i++) {
        long at = random.nextLong(size);
        bitmap.set(at, Math.min(size - at, random.nextLong(3L << shift)));
      }
      int length = (int) SerializedBitmap.tableLength(size, granularityBits, clusterBits);
      BitmapTable table = new BitmapTable(length);
      DirtyBitmap read = new DirtyBitmap(size, granularityBits);
      for (int i = 0; i < length; i++) {
        ByteBuffer cluster = ByteBuffer.allocate(1 << clusterBits);
        SerializedBitmap.encode(bitmap, i, clusterBits, cluster);
        Form form = SerializedBitmap.formOf(bitmap, i, clusterBits);
        switch (form) {
          case ZEROES -> assertThat(cluster).isEqualTo(ByteBuffer.allocate(1 << clusterBits));
          case ONES -> {
            table.setAllOnes(i);
            SerializedBitmap.decodeOnes(read, i, clusterBits);
          }
          case DATA -> {
            table.setDataOffset(i, (i + 1L) << clusterBits);
            SerializedBitmap.decode(read, i, clusterBits, cluster);
          }
        }
      }
      assertThat(read.toExtents()).isEqualTo(bitmap.toExtents());
      BitmapTable again = BitmapTable.decode(table.encode(), clusterBits);
      for (int i = 0; i < length; i++) {
        assertThat(again.isAllOnes(i)).isEqualTo(table.isAllOnes(i));
        assertThat(again.dataOffset(i)).isEqualTo(table.dataOffset(i));
      }
    }
  }
}
