package dev.cowbell.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RefcountWidthTest {

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6})
  void every_refcount_of_a_block_reads_back(int order) {
    RefcountWidth width = new RefcountWidth(order);
    ByteBuffer block = ByteBuffer.allocate(512);
    long[] values = new long[width.perBlock(512)];
    Random random = new Random(order);
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < values.length; i++) {
        values[i] =
            width.max() == Long.MAX_VALUE
                ? random.nextLong(Long.MAX_VALUE)
                : random.nextLong(width.max() + 1);
        width.set(block, i, values[i]);
      }
      for (int i = 0; i < values.length; i++) {
        assertThat(width.get(block, i)).isEqualTo(values[i]);
      }
    }
  }

  @Test
  void narrow_refcounts_fill_a_byte_from_its_lowest_bits() {
    ByteBuffer block = ByteBuffer.allocate(1);
    new RefcountWidth(2).set(block, 1, 0xa);
    assertThat(block.get(0)).isEqualTo((byte) 0xa0);
  }

  @Test
  void refuses_a_refcount_beyond_its_width() {
    ByteBuffer block = ByteBuffer.allocate(8);
    assertThatThrownBy(() -> new RefcountWidth(0).set(block, 0, 2))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new RefcountWidth(6).set(block, 0, -1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
