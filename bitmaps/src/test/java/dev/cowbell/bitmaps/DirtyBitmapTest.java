package dev.cowbell.bitmaps;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.testing.SeededRandom;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class DirtyBitmapTest {

  private static final long TIB = 1L << 40;

  @Test
  void sets_outward_and_clears_inward() {
    DirtyBitmap bitmap = new DirtyBitmap(10_000, 9);
    bitmap.set(513, 1);
    assertThat(bitmap.toExtents()).containsExactly(new Run(512, 512));
    bitmap.clear(513, 511);
    assertThat(bitmap.isDirty(512)).isTrue();
    bitmap.clear(511, 513);
    assertThat(bitmap.isClean()).isTrue();
  }

  @Test
  void ends_its_last_run_where_the_disk_ends() {
    DirtyBitmap bitmap = new DirtyBitmap(1_000, 9);
    bitmap.set(999, 1);
    assertThat(bitmap.toExtents()).containsExactly(new Run(512, 488));
    assertThat(bitmap.dirtyBytes()).isEqualTo(488);
    bitmap.clear(512, 488);
    assertThat(bitmap.isClean()).isTrue();
  }

  @Test
  void forgets_what_a_shrink_cuts_off_but_keeps_a_partial_granule() {
    DirtyBitmap bitmap = new DirtyBitmap(4 * 512, 9);
    bitmap.set(0, 4 * 512);
    bitmap.resize(512 + 1);
    assertThat(bitmap.toExtents()).containsExactly(new Run(0, 513));
    bitmap.resize(8 * 512);
    assertThat(bitmap.toExtents()).containsExactly(new Run(0, 1024));
  }

  @Test
  void refuses_what_is_not_inside_the_disk() {
    DirtyBitmap bitmap = new DirtyBitmap(1_000, 9);
    assertThatThrownBy(() -> bitmap.set(999, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> bitmap.set(1, Long.MAX_VALUE))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> bitmap.isDirty(1_000)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void refuses_more_granules_than_memory_may_hold() {
    assertThatThrownBy(() -> new DirtyBitmap(Long.MAX_VALUE, 9))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("granules");
    assertThat(new DirtyBitmap(Long.MAX_VALUE, 31).granules()).isEqualTo(1L << 32);
    assertThatThrownBy(() -> new DirtyBitmap(1, 8)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new DirtyBitmap(1, 32)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void covers_a_disk_of_ten_tebibytes_cheaply() {
    DirtyBitmap bitmap = new DirtyBitmap(10 * TIB, 16);
    bitmap.set(0, 10 * TIB);
    bitmap.clear(5 * TIB, 1 << 20);
    DirtyBitmap copy = bitmap.copy();
    assertThat(copy.toExtents())
        .containsExactly(new Run(0, 5 * TIB), new Run(5 * TIB + (1 << 20), 5 * TIB - (1 << 20)));
    copy.clearAll();
    assertThat(bitmap.dirtyBytes()).isEqualTo(10 * TIB - (1 << 20));
    assertThat(copy.isClean()).isTrue();
  }

  @Test
  void refuses_to_merge_a_bitmap_of_another_disk_size() {
    DirtyBitmap bitmap = new DirtyBitmap(1_000, 9);
    assertThatThrownBy(() -> bitmap.merge(new DirtyBitmap(1_001, 9)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void agrees_with_a_bit_set_through_random_lives(Random random) {
    for (int life = 0; life < 60; life++) {
      int bits = 9 + random.nextInt(3);
      long size = random.nextLong(100_000L << bits) + 1;
      DirtyBitmap bitmap = new DirtyBitmap(size, bits);
      BitSet model = new BitSet();
      for (int step = 0; step < 40; step++) {
        long from = random.nextLong(size);
        long length =
            random.nextBoolean() ? random.nextLong(size - from) : random.nextLong(1 << 14);
        length = Math.min(length, size - from);
        switch (random.nextInt(10)) {
          case 0, 1, 2, 3 -> {
            bitmap.set(from, length);
            if (length > 0) {
              model.set((int) (from >>> bits), (int) (((from + length - 1) >>> bits) + 1));
            }
          }
          case 4, 5, 6 -> {
            bitmap.clear(from, length);
            int first = (int) ((from + (1L << bits) - 1) >>> bits);
            int end = (int) (from + length == size ? bitmap.granules() : (from + length) >>> bits);
            if (first < end) {
              model.clear(first, end);
            }
          }
          case 7 -> {
            size = random.nextLong(100_000L << bits) + 1;
            bitmap.resize(size);
            model.clear((int) bitmap.granules(), 1 << 20);
          }
          case 8 -> {
            DirtyBitmap other = new DirtyBitmap(size, Math.max(9, bits + random.nextInt(3) - 1));
            other.set(from, length);
            bitmap.merge(other);
            other.forEachDirtyRun(
                0,
                size,
                (at, n) -> model.set((int) (at >>> bits), (int) (((at + n - 1) >>> bits) + 1)));
          }
          default -> bitmap = repacked(bitmap, random);
        }
        assertSame(bitmap, model);
      }
    }
  }

  @Test
  void merging_across_granularities_rounds_outward(Random random) {
    for (int round = 0; round < 200; round++) {
      long size = random.nextLong(1 << 24) + 1;
      DirtyBitmap from = new DirtyBitmap(size, 9 + random.nextInt(10));
      for (int i = 0; i < 5; i++) {
        from.set(random.nextLong(size), 1);
      }
      int bits = 9 + random.nextInt(10);
      DirtyBitmap to = new DirtyBitmap(size, bits);
      long preset = random.nextLong(size);
      to.set(preset, 1);
      ExtentSet expected =
          from.toExtents().union(to.toExtents()).alignOutward(1L << bits).clip(0, size);
      to.merge(from);
      assertThat(to.toExtents()).isEqualTo(expected);
      assertThat(DirtyBitmap.of(from.toExtents(), size, bits).toExtents())
          .isEqualTo(from.withGranularity(bits).toExtents());
    }
  }

  /** Writes the bits out in pieces and reads them into a new bitmap, with junk behind the end. */
  private static DirtyBitmap repacked(DirtyBitmap bitmap, Random random) {
    DirtyBitmap read = new DirtyBitmap(bitmap.size(), bitmap.granularityBits());
    int piece = 8 * (1 + random.nextInt(700));
    for (long first = 0; first < bitmap.granules(); first += piece * 8L) {
      ByteBuffer bytes = ByteBuffer.allocate(piece);
      bitmap.getPacked(first, bytes);
      for (long bit = Math.max(first, bitmap.granules()); bit < first + piece * 8L; bit++) {
        int index = (int) (bit - first);
        assertThat(bytes.get(index / 8) >> index % 8 & 1).isZero();
        bytes.put(index / 8, (byte) (bytes.get(index / 8) | 1 << index % 8));
      }
      read.setPacked(first, bytes);
    }
    return read;
  }

  private static void assertSame(DirtyBitmap bitmap, BitSet model) {
    int bits = bitmap.granularityBits();
    ExtentSet.Builder expected = ExtentSet.builder();
    for (int from = model.nextSetBit(0); from >= 0; ) {
      int to = model.nextClearBit(from);
      long start = (long) from << bits;
      expected.add(start, Math.min(bitmap.size(), (long) to << bits) - start);
      from = model.nextSetBit(to);
    }
    ExtentSet extents = expected.build();
    assertThat(bitmap.toExtents()).isEqualTo(extents);
    assertThat(bitmap.dirtyBytes()).isEqualTo(extents.totalLength());
    long at = bitmap.size() / 3;
    assertThat(bitmap.isDirty(at)).isEqualTo(extents.contains(at));
    long length = bitmap.size() / 7;
    ExtentSet part = extents.clip(at, length);
    assertThat(bitmap.toExtents(at, length)).isEqualTo(part);
    assertThat(bitmap.anyDirty(at, length)).isEqualTo(!part.isEmpty());
    assertThat(bitmap.allDirty(at, length)).isEqualTo(part.totalLength() == length);
  }
}
