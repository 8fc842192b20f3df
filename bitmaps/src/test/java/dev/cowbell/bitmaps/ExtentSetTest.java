package dev.cowbell.bitmaps;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.testing.SeededRandom;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class ExtentSetTest {

  private static final int UNIVERSE = 300;

  @Test
  void joins_runs_that_touch_or_overlap_in_any_order() {
    ExtentSet set = ExtentSet.builder().add(30, 10).add(0, 5).add(5, 5).add(38, 4).build();
    assertThat(set).containsExactly(new Run(0, 10), new Run(30, 12));
    assertThat(set.totalLength()).isEqualTo(22);
  }

  @Test
  void takes_runs_up_to_the_end_of_the_long_range() {
    ExtentSet set = ExtentSet.of(Long.MAX_VALUE - 1, 1);
    assertThat(set.union(ExtentSet.of(0, 1)).complement(Long.MAX_VALUE))
        .containsExactly(new Run(1, Long.MAX_VALUE - 2));
  }

  @Test
  void refuses_runs_that_leave_the_long_range() {
    assertThatThrownBy(() -> ExtentSet.of(Long.MAX_VALUE, 1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> ExtentSet.of(-1, 1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> ExtentSet.of(1, -1)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void grows_outward_and_joins_what_then_touches() {
    ExtentSet set = ExtentSet.builder().add(10, 1).add(20, 1).add(100, 28).build();
    assertThat(set.alignOutward(16)).containsExactly(new Run(0, 32), new Run(96, 32));
    assertThatThrownBy(() -> set.alignOutward(24)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void agrees_with_a_bit_set_on_every_operation(Random random) {
    for (int round = 0; round < 2_000; round++) {
      BitSet a = new BitSet();
      BitSet b = new BitSet();
      ExtentSet x = randomSet(random, a);
      ExtentSet y = randomSet(random, b);
      assertSame(x, a);
      assertThat(x.totalLength()).isEqualTo(a.cardinality());

      BitSet union = (BitSet) a.clone();
      union.or(b);
      assertSame(x.union(y), union);
      BitSet intersection = (BitSet) a.clone();
      intersection.and(b);
      assertSame(x.intersection(y), intersection);
      BitSet difference = (BitSet) a.clone();
      difference.andNot(b);
      assertSame(x.difference(y), difference);

      int size = random.nextInt(UNIVERSE + 1);
      BitSet complement = new BitSet();
      complement.set(0, size);
      complement.andNot(a);
      assertSame(x.complement(size), complement);

      int from = random.nextInt(UNIVERSE);
      int length = random.nextInt(UNIVERSE - from);
      BitSet clipped = new BitSet();
      clipped.set(from, from + length);
      clipped.and(a);
      assertSame(x.clip(from, length), clipped);
      if (length > 0) {
        assertThat(x.intersects(from, length)).isEqualTo(!clipped.isEmpty());
      }

      int granularity = 1 << random.nextInt(6);
      BitSet aligned = new BitSet();
      a.stream()
          .map(bit -> bit / granularity * granularity)
          .forEach(start -> aligned.set(start, start + granularity));
      assertSame(x.alignOutward(granularity), aligned);
    }
  }

  private static ExtentSet randomSet(Random random, BitSet model) {
    ExtentSet.Builder builder = ExtentSet.builder();
    int runs = random.nextInt(12);
    for (int i = 0; i < runs; i++) {
      int from = random.nextInt(UNIVERSE);
      int length = random.nextInt(Math.min(40, UNIVERSE - from) + 1);
      builder.add(from, length);
      model.set(from, from + length);
    }
    return builder.build();
  }

  private static void assertSame(ExtentSet set, BitSet model) {
    ExtentSet.Builder expected = ExtentSet.builder();
    for (int from = model.nextSetBit(0); from >= 0; ) {
      int to = model.nextClearBit(from);
      expected.add(from, to - from);
      from = model.nextSetBit(to);
    }
    assertThat(set).isEqualTo(expected.build());
    long last = -1;
    for (Run run : set) {
      assertThat(run.offset()).isGreaterThan(last);
      last = run.end();
    }
    for (int i = 0; i < UNIVERSE + 40; i++) {
      assertThat(set.contains(i)).isEqualTo(model.get(i));
    }
  }
}
