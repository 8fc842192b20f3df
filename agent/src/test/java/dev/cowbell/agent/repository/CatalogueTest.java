package dev.cowbell.agent.repository;

import static dev.cowbell.agent.repository.Samples.P1;
import static dev.cowbell.agent.repository.Samples.P2;
import static dev.cowbell.agent.repository.Samples.P3;
import static dev.cowbell.agent.repository.Samples.VDA;
import static dev.cowbell.agent.repository.Samples.VM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.storage.ETag;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class CatalogueTest {

  private static Catalogue.Entry point(PointId id, Optional<PointId> parent) {
    return new Catalogue.Known(
        new StoredManifest(Samples.manifest(id, Samples.disk(id, parent)), new ETag("x")));
  }

  private static Catalogue.Entry bad(PointId id) {
    return new Catalogue.Unreadable(id, Layout.manifest(VM, id), "is damaged");
  }

  private static Catalogue of(Catalogue.Entry... entries) {
    return Catalogue.of(VM, Arrays.stream(entries).map(Optional::of).toList());
  }

  private static final Catalogue THREE =
      of(point(P3, Optional.of(P2)), point(P1, Optional.empty()), point(P2, Optional.of(P1)));

  @Test
  void lists_points_oldest_first() {
    assertThat(THREE.points()).extracting(Manifest::point).containsExactly(P1, P2, P3);
    assertThat(THREE.newestId()).contains(P3);
  }

  @Test
  void finds_points_by_latest_id_and_prefix() throws Exception {
    assertThat(THREE.resolve("latest").point()).isEqualTo(P3);
    assertThat(THREE.resolve(P1.value()).point()).isEqualTo(P1);
    assertThat(THREE.resolve("20260102").point()).isEqualTo(P2);
  }

  @Test
  void refuses_a_prefix_of_none_or_several() {
    assertThatExceptionOfType(NotFoundException.class)
        .isThrownBy(() -> THREE.resolve("2026"))
        .withMessageContaining("3 points")
        .withMessageContaining(P2.value());
    assertThatExceptionOfType(NotFoundException.class).isThrownBy(() -> THREE.resolve("1999"));
    assertThatExceptionOfType(NotFoundException.class).isThrownBy(() -> THREE.resolve(""));
  }

  @Test
  void finds_the_newest_point_at_a_time() throws Exception {
    assertThat(THREE.at(P2.second()).point()).isEqualTo(P2);
    assertThat(THREE.at(P3.second().minusSeconds(1)).point()).isEqualTo(P2);
    assertThatExceptionOfType(NotFoundException.class)
        .isThrownBy(() -> THREE.at(Instant.EPOCH))
        .withMessageContaining("oldest");
  }

  @Test
  void latest_never_silently_means_an_older_point() {
    Catalogue damaged = of(point(P1, Optional.empty()), bad(P2));
    assertThat(damaged.newestId()).contains(P2);
    assertThatExceptionOfType(NotFoundException.class)
        .isThrownBy(() -> damaged.resolve("latest"))
        .withMessageContaining(P2.value());
  }

  @Test
  void follows_a_chain_to_its_full_overlay() throws Exception {
    DiskChain chain = THREE.chain(THREE.resolve("latest"), VDA);
    assertThat(chain.links()).extracting(DiskChain.Link::point).containsExactly(P3, P2, P1);
  }

  @Test
  void names_the_object_that_breaks_a_chain() {
    Catalogue gap = of(point(P1, Optional.empty()), point(P3, Optional.of(P2)));
    assertThatExceptionOfType(BrokenChainException.class)
        .isThrownBy(() -> gap.chain(gap.resolve("latest"), VDA))
        .withMessageContaining(Layout.manifest(VM, P2).value())
        .withMessageContaining("missing");
    Catalogue damaged = of(point(P1, Optional.empty()), bad(P2), point(P3, Optional.of(P2)));
    assertThatExceptionOfType(BrokenChainException.class)
        .isThrownBy(() -> damaged.chain(damaged.resolve("latest"), VDA))
        .withMessageContaining("is damaged");
  }
}
