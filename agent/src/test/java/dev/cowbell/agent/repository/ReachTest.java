package dev.cowbell.agent.repository;

import static dev.cowbell.agent.repository.Samples.P1;
import static dev.cowbell.agent.repository.Samples.P2;
import static dev.cowbell.agent.repository.Samples.P3;
import static dev.cowbell.agent.repository.Samples.VDA;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class ReachTest {

  private static final PointId P4 = new PointId("20260104T000000Z-0004");

  @Test
  void an_overlay_touches_every_point_whose_chain_runs_through_it() {
    Reach reach =
        new Reach(
            Samples.catalogue(
                Samples.manifest(P1, Samples.disk(P1, Optional.empty())),
                Samples.manifest(P2, Samples.disk(P2, Optional.of(P1))),
                Samples.manifest(P3, Samples.disk(P3, Optional.of(P1))),
                Samples.manifest(P4, Samples.disk(P4, Optional.of(P2)))));
    assertThat(reach.ofOverlay(P1, VDA)).containsExactly(P1, P2, P3, P4);
    assertThat(reach.ofOverlay(P2, VDA)).containsExactly(P2, P4);
    assertThat(reach.ofOverlay(P3, VDA)).containsExactly(P3);
  }

  @Test
  void a_lost_manifest_touches_points_through_any_of_its_disks() {
    DiskName vdb = new DiskName("vdb");
    Reach reach =
        new Reach(
            Samples.catalogue(
                Samples.manifest(P2, Samples.disk(P2, Optional.of(P1))),
                Samples.manifest(P3, Samples.disk(vdb, P3, Optional.of(P1)))));
    assertThat(reach.ofManifest(P1)).containsExactly(P1, P2, P3);
  }
}
