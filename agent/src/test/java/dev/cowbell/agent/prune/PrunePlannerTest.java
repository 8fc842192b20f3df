package dev.cowbell.agent.prune;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Samples;
import dev.cowbell.agent.retention.RetentionPolicy;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class PrunePlannerTest {

  private static final Instant NOW = Instant.parse("2026-03-01T00:00:00Z");

  private static PointId id(int day) {
    return new PointId("202601%02dT000000Z-0000".formatted(day));
  }

  /** A point of a day upon another's; day 0 for a full. */
  private static Manifest point(int day, int parentDay) {
    return Samples.manifest(
            id(day),
            Samples.disk(id(day), parentDay == 0 ? Optional.empty() : Optional.of(id(parentDay))))
        .withPinned(false);
  }

  private static Catalogue chain(int length) {
    Manifest[] points = new Manifest[length];
    Arrays.setAll(points, i -> point(i + 1, i));
    return Samples.catalogue(points);
  }

  private static PrunePlan plan(Catalogue catalogue, int keepLast, int maxChain) {
    return plan(catalogue, keepLast, maxChain, Map.of());
  }

  private static PrunePlan plan(
      Catalogue catalogue, int keepLast, int maxChain, Map<PointId, String> broken) {
    PruneRequest request =
        new PruneRequest(
            new RetentionPolicy(keepLast, Map.of(), Optional.empty(), List.of(), 1, ZoneOffset.UTC),
            maxChain == 0 ? OptionalInt.empty() : OptionalInt.of(maxChain),
            Duration.ofDays(1));
    return new PrunePlanner(catalogue, request, broken, NOW).plan();
  }

  private static Set<PointId> of(PrunePlan plan, PointFate.Kind kind) {
    return plan.fates().stream()
        .filter(fate -> fate.kind() == kind)
        .map(PointFate::point)
        .collect(Collectors.toSet());
  }

  @Test
  void a_child_takes_in_all_points_in_a_row_at_once() {
    PrunePlan plan = plan(chain(5), 2, 0);
    assertThat(plan.merges()).hasSize(1);
    DiskMerge merge = plan.merges().getFirst();
    assertThat(merge.target()).isEqualTo(id(4));
    assertThat(merge.parent()).isEmpty();
    assertThat(merge.absorbed()).containsExactly(id(3), id(2), id(1));
    assertThat(plan.removals()).containsExactly(id(3), id(2), id(1));
    assertThat(plan.drops()).containsExactly(id(1), id(2), id(3));
    assertThat(of(plan, PointFate.Kind.MERGE)).containsExactlyInAnyOrder(id(1), id(2), id(3));
  }

  @Test
  void a_pinned_point_is_what_the_next_one_builds_upon() {
    Catalogue catalogue =
        Samples.catalogue(
            point(1, 0), point(2, 1).withPinned(true), point(3, 2), point(4, 3), point(5, 4));
    PrunePlan plan = plan(catalogue, 1, 0);
    assertThat(plan.merges()).extracting(DiskMerge::target).containsExactly(id(2), id(5));
    assertThat(plan.merges().getLast().parent()).contains(id(2));
    assertThat(of(plan, PointFate.Kind.KEEP)).containsExactlyInAnyOrder(id(2), id(5));
  }

  @Test
  void what_nobody_builds_upon_is_simply_removed() {
    Catalogue catalogue = Samples.catalogue(point(1, 0), point(2, 1), point(3, 0));
    PrunePlan plan = plan(catalogue, 1, 0);
    assertThat(plan.merges()).isEmpty();
    assertThat(of(plan, PointFate.Kind.REMOVE)).containsExactlyInAnyOrder(id(1), id(2));
    assertThat(plan.removals()).containsExactly(id(2), id(1));
  }

  @Test
  void a_point_that_branches_build_upon_stays_stored_until_one_is_left() {
    Catalogue catalogue = Samples.catalogue(point(1, 0), point(2, 1), point(3, 2), point(4, 2));
    PrunePlan plan = plan(catalogue, 2, 0);
    assertThat(of(plan, PointFate.Kind.CARRY)).containsExactly(id(2));
    assertThat(plan.merges()).hasSize(1);
    assertThat(plan.merges().getFirst().target()).isEqualTo(id(2));
    assertThat(plan.removals()).containsExactly(id(1));
    Catalogue later =
        Samples.catalogue(point(2, 0).asDropped(1), point(3, 2).asDropped(1), point(4, 2));
    PrunePlan next = plan(later, 1, 0);
    assertThat(next.merges()).extracting(DiskMerge::target).containsExactly(id(4));
    assertThat(next.removals()).containsExactly(id(3), id(2));
  }

  @Test
  void no_chain_gets_longer_than_asked() {
    for (int most = 1; most < 7; most++) {
      PrunePlan plan = plan(chain(9), 9, most);
      int[] depth = new int[10];
      for (int day = 1; day <= 9; day++) {
        PointId point = id(day);
        Optional<DiskMerge> merge =
            plan.merges().stream().filter(m -> m.target().equals(point)).findFirst();
        Optional<PointId> parent =
            merge.isPresent()
                ? merge.get().parent()
                : day == 1 ? Optional.empty() : Optional.of(id(day - 1));
        depth[day] =
            1 + parent.map(p -> depth[Integer.parseInt(p.value().substring(6, 8))]).orElse(0);
        assertThat(depth[day]).isLessThanOrEqualTo(most);
      }
      assertThat(plan.removals()).isEmpty();
    }
  }

  @Test
  void the_last_good_point_stays_and_a_damaged_chain_is_not_merged() {
    Catalogue catalogue = chain(3);
    PrunePlan plan = plan(catalogue, 1, 0, Map.of(id(3), "is missing"));
    assertThat(of(plan, PointFate.Kind.KEEP)).contains(id(2));
    assertThat(plan.removals()).doesNotContain(id(2));
  }
}
