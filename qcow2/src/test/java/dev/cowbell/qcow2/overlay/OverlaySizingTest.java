package dev.cowbell.qcow2.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.cowbell.bitmaps.ExtentSet;
import org.junit.jupiter.api.Test;

class OverlaySizingTest {
  private static final long KIB = 1024;
  private static final long GIB = 1L << 30;
  private static final long TIB = 1L << 40;

  @Test
  void a_full_takes_the_clusters_of_its_source() {
    assertThat(OverlaySizing.forFull(GIB, 64 << 10)).isEqualTo(64 << 10);
    assertThat(OverlaySizing.forFull(GIB, 2 << 20)).isEqualTo(2 << 20);
  }

  @Test
  void a_full_never_has_clusters_below_4_kib() {
    assertThat(OverlaySizing.forFull(GIB, 512)).isEqualTo(4 << 10);
  }

  @Test
  void the_l1_table_stays_below_what_qemu_accepts() {
    assertThat(OverlaySizing.forFull(8 * TIB, 4 << 10)).isEqualTo(4 << 10);
    assertThat(OverlaySizing.forFull(8 * TIB + 1, 4 << 10)).isEqualTo(8 << 10);
    ExtentSet changed = ExtentSet.of(0, 4 * KIB);
    assertThat(OverlaySizing.forIncrement(10 * TIB, changed, 4 << 10).clusterSize())
        .isEqualTo(8 << 10);
  }

  @Test
  void refuses_a_disk_that_no_l1_table_covers() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OverlaySizing.forFull(Long.MAX_VALUE, 2 << 20))
        .withMessageContaining("larger than qcow2 can describe");
  }

  @Test
  void scattered_changes_get_small_clusters() {
    ExtentSet.Builder changed = ExtentSet.builder();
    for (long i = 0; i < 2000; i++) {
      changed.add(i * (TIB / 2000) & -(64 * KIB), 64 * KIB);
    }
    OverlaySizing sizing = OverlaySizing.forIncrement(TIB, changed.build(), 64 << 10);
    assertThat(sizing.clusterSize()).isEqualTo(4 << 10);
    // 4 MiB of L1, 2000 tables of 4 KiB; at 64 KiB the tables alone would take the 131 MB again
    assertThat(sizing.l1Bytes() + sizing.l2Bytes()).isEqualTo((4L << 20) + 2000 * 4096);
  }

  @Test
  void changes_in_one_place_get_the_granularity() {
    ExtentSet changed = ExtentSet.of(GIB, 100 << 20);
    assertThat(OverlaySizing.forIncrement(40 * GIB, changed, 64 << 10).clusterSize())
        .isEqualTo(64 << 10);
  }

  @Test
  void a_granularity_below_4_kib_counts_as_4_kib() {
    assertThat(OverlaySizing.forIncrement(GIB, ExtentSet.of(0, 512), 512).clusterSize())
        .isEqualTo(4 << 10);
  }

  @Test
  void clusters_and_tables_that_several_runs_touch_count_once() {
    ExtentSet changed =
        ExtentSet.builder().add(0, 512).add(1024, 512).add(8192, 1).add(3 << 20, 5000).build();
    OverlaySizing sizing = OverlaySizing.estimate(GIB, changed, 4096);
    assertThat(sizing.l2Bytes()).isEqualTo(2 * 4096);
    assertThat(sizing.dataBytes()).isEqualTo(4L * 4096 / 10_000 * 4670);
  }

  @Test
  void changes_behind_the_end_of_the_disk_cost_nothing() {
    OverlaySizing sizing = OverlaySizing.estimate(4096, ExtentSet.of(0, TIB), 4096);
    assertThat(sizing.l2Bytes()).isEqualTo(4096);
    assertThat(OverlaySizing.estimate(4096, ExtentSet.of(GIB, TIB), 4096).l2Bytes()).isZero();
  }
}
