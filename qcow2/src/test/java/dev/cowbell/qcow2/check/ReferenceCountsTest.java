package dev.cowbell.qcow2.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class ReferenceCountsTest {

  @Test
  void counts_small_and_large_and_stops_at_the_maximum() {
    ReferenceCounts counts = new ReferenceCounts();
    counts.moveTo(ReferenceCounts.WINDOW);
    long cluster = ReferenceCounts.WINDOW + 70_000;
    assertThat(counts.add(cluster, 200, 1 << 20)).isFalse();
    assertThat(counts.add(cluster, 100, 1 << 20)).isFalse();
    assertThat(counts.get(cluster)).isEqualTo(300);
    assertThat(counts.get(cluster + 1)).isZero();
    assertThat(counts.add(cluster, 1 << 20, 1 << 20)).isTrue();
    assertThat(counts.get(cluster)).isEqualTo(1 << 20);
    assertThat(counts.next(ReferenceCounts.WINDOW)).isEqualTo(cluster);
    assertThat(counts.next(cluster + 1)).isEqualTo(2 * ReferenceCounts.WINDOW);
    assertThat(counts.contains(ReferenceCounts.WINDOW - 1)).isFalse();
  }

  @Test
  void overlapping_ranges_become_disjoint_pieces_with_weights() {
    WeightedRanges ranges = new WeightedRanges();
    ranges.add(0, 10, true);
    ranges.add(5, 20, false);
    ranges.add(20, 20, false);
    ranges.add(5, 20, false);
    assertThat(ranges.pieces())
        .isEqualTo(
            List.of(
                new WeightedRanges.Piece(0, 5, 1, 1),
                new WeightedRanges.Piece(5, 10, 3, 1),
                new WeightedRanges.Piece(10, 20, 2, 0)));
  }
}
