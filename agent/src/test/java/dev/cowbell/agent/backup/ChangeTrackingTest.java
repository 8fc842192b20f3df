package dev.cowbell.agent.backup;

import static dev.cowbell.agent.repository.Samples.P1;
import static dev.cowbell.agent.repository.Samples.P2;
import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.backup.Verdict.BitmapUse;
import dev.cowbell.agent.backup.Verdict.Full;
import dev.cowbell.agent.backup.Verdict.Increment;
import dev.cowbell.agent.backup.Verdict.TableDifference;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Samples;
import dev.cowbell.agent.repository.SourceRecord;
import dev.cowbell.agent.repository.SourceRecord.BackingIdentity;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.source.DiskFacts;
import dev.cowbell.agent.source.DiskFacts.BitmapFact;
import dev.cowbell.agent.source.DiskFacts.BitmapState;
import dev.cowbell.agent.source.DiskFacts.Layer;
import dev.cowbell.bitmaps.DirtyBitmap;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ChangeTrackingTest {

  private static final long GRANULE = 65536;
  private static final long SIZE = 100 * GRANULE + 512;
  private static final BackingIdentity IMAGE = identity("/images/vda.qcow2", 1);
  private static final BackingIdentity BASE = identity("/images/base.qcow2", 1);
  private static final SnapshotIdentity SNAP =
      new SnapshotIdentity("1", "before", Instant.EPOCH, 5);

  private static BackingIdentity identity(String path, long version) {
    return new BackingIdentity(path, 1000, Instant.ofEpochMilli(version));
  }

  /**
   * A bitmap for a disk of {@code size}, with its sentinel at the end of a disk of {@code then}.
   */
  private static BitmapFact bitmap(PointId point, BitmapState state, long size, long then) {
    DirtyBitmap bits = new DirtyBitmap(size, 16);
    if (then > 0) {
      bits.set(then - 1, 1);
    }
    return new BitmapFact("cowbell:" + point, GRANULE, state, size, Optional.of(bits));
  }

  private static BitmapFact good(PointId point) {
    return bitmap(point, BitmapState.RECORDING, SIZE, SIZE);
  }

  private static DiskFacts facts(long size, Layer... layers) {
    return facts(size, Optional.empty(), List.of(), layers);
  }

  private static DiskFacts facts(
      long size,
      Optional<SnapshotIdentity> reading,
      List<SnapshotIdentity> snapshots,
      Layer... layers) {
    return new DiskFacts(
        Samples.VDA,
        size,
        reading,
        snapshots,
        List.of(layers),
        new DiskFacts.TrackingAbility.Able());
  }

  private static Layer image(long size, BitmapFact... bitmaps) {
    return new Layer(IMAGE, size, List.of(bitmaps));
  }

  private static ParentFacts parent(PointId point, BackingIdentity... backing) {
    return parent(point, Optional.empty(), backing);
  }

  private static ParentFacts parent(
      PointId point, Optional<SnapshotIdentity> snapshot, BackingIdentity... backing) {
    DiskRecord sample = Samples.disk(point, Optional.empty());
    return new ParentFacts(
        point,
        new DiskRecord(
            sample.name(),
            SIZE,
            Optional.empty(),
            "",
            sample.overlay(),
            sample.counts(),
            Optional.empty(),
            snapshot.isPresent()
                ? Optional.empty()
                : Optional.of(new TrackingRecord("cowbell:" + point, GRANULE)),
            new SourceRecord(
                "/images/vda.qcow2", "qcow2", Optional.empty(), snapshot, List.of(backing))),
        "cowbell:" + point,
        Optional.empty(),
        false);
  }

  private static Verdict decide(DiskFacts facts, ParentFacts... parents) {
    return ChangeTracking.decide(facts, List.of(parents), Optional.empty());
  }

  private static void assertFull(Verdict verdict, String because) {
    assertThat(verdict).isInstanceOf(Full.class);
    assertThat(verdict.reason()).contains(because);
  }

  private static Increment assertIncrement(Verdict verdict, PointId parent) {
    assertThat(verdict).as(verdict.reason()).isInstanceOf(Increment.class);
    Increment increment = (Increment) verdict;
    assertThat(increment.parent()).isEqualTo(parent);
    return increment;
  }

  @Test
  void the_first_backup_is_full() {
    assertFull(decide(facts(SIZE, image(SIZE))), "first backup");
  }

  @Test
  void a_bitmap_of_another_repository_does_not_count() {
    assertFull(decide(facts(SIZE, image(SIZE, good(P1)))), "no point of this disk");
    assertFull(decide(facts(SIZE, image(SIZE, good(P1))), parent(P2)), "cowbell:" + P2);
  }

  @Test
  void a_recording_bitmap_with_its_sentinel_makes_an_increment() {
    Increment increment =
        assertIncrement(decide(facts(SIZE, image(SIZE, good(P1))), parent(P1)), P1);
    assertThat(increment.bitmaps()).containsExactly(new BitmapUse(0, "cowbell:" + P1));
    assertThat(increment.layersAbove()).isZero();
    assertThat(increment.tables()).isEmpty();
    assertThat(increment.tailFrom()).isEqualTo(SIZE);
    assertThat(increment.warnings()).isEmpty();
  }

  @Test
  void after_a_crash_behind_the_commit_the_newer_of_two_bitmaps_counts() {
    DiskFacts both = facts(SIZE, image(SIZE, good(P1), good(P2)));
    assertIncrement(decide(both, parent(P2), parent(P1)), P2);
  }

  @Test
  void after_a_crash_before_the_commit_the_older_bitmap_counts() {
    DiskFacts both = facts(SIZE, image(SIZE, good(P1), good(P2)));
    assertIncrement(decide(both, parent(P1)), P1);
  }

  @Test
  void an_image_restored_from_an_older_point_continues_from_that_point() {
    assertIncrement(decide(facts(SIZE, image(SIZE, good(P1))), parent(P2), parent(P1)), P1);
  }

  @Test
  void distrusts_a_bitmap_in_any_state_but_recording() {
    for (BitmapState state : BitmapState.values()) {
      Verdict verdict = decide(facts(SIZE, image(SIZE, bitmap(P1, state, SIZE, SIZE))), parent(P1));
      switch (state) {
        case RECORDING -> assertIncrement(verdict, P1);
        case DISABLED -> assertFull(verdict, "disabled");
        case IN_USE -> assertFull(verdict, "in use");
        case INCONSISTENT -> assertFull(verdict, "damaged");
      }
    }
  }

  @Test
  void a_lost_sentinel_shows_that_the_disk_was_shrunk_and_grown_or_the_bitmap_cleared() {
    DiskFacts cleared = facts(SIZE, image(SIZE, bitmap(P1, BitmapState.RECORDING, SIZE, 0)));
    assertFull(decide(cleared, parent(P1)), "mark at the end");
    DirtyBitmap resized = new DirtyBitmap(SIZE, 16);
    resized.set(0, SIZE);
    resized.resize(50 * GRANULE);
    resized.resize(SIZE);
    BitmapFact fact =
        new BitmapFact("cowbell:" + P1, GRANULE, BitmapState.RECORDING, SIZE, Optional.of(resized));
    assertFull(decide(facts(SIZE, image(SIZE, fact)), parent(P1)), "mark at the end");
  }

  @Test
  void a_grown_disk_is_copied_from_its_old_end_rounded_down() {
    long grown = SIZE + 10 * GRANULE;
    DiskFacts facts = facts(grown, image(grown, bitmap(P1, BitmapState.RECORDING, grown, SIZE)));
    assertThat(assertIncrement(decide(facts, parent(P1)), P1).tailFrom()).isEqualTo(100 * GRANULE);
  }

  @Test
  void a_shrunk_disk_is_copied_in_full() {
    long shrunk = SIZE - 512;
    DiskFacts facts =
        facts(shrunk, image(shrunk, bitmap(P1, BitmapState.RECORDING, shrunk, shrunk)));
    assertFull(decide(facts, parent(P1)), "shrunk");
  }

  @Test
  void a_broken_chain_is_not_built_upon() {
    ParentFacts broken =
        new ParentFacts(
            P1, parent(P1).record(), "cowbell:" + P1, Optional.of("its overlay is missing"), true);
    assertFull(decide(facts(SIZE, image(SIZE, good(P1))), broken), "its overlay is missing");
  }

  @Test
  void an_external_overlay_adds_what_its_layers_allocate() {
    Layer top = new Layer(identity("/images/top.qcow2", 7), SIZE, List.of());
    Layer middle = new Layer(identity("/images/mid.qcow2", 7), SIZE, List.of());
    DiskFacts facts =
        facts(SIZE, top, middle, image(SIZE, good(P1)), new Layer(BASE, 5, List.of()));
    Increment increment = assertIncrement(decide(facts, parent(P1, BASE)), P1);
    assertThat(increment.bitmaps()).containsExactly(new BitmapUse(2, "cowbell:" + P1));
    assertThat(increment.layersAbove()).isEqualTo(2);
    assertThat(increment.tailFrom()).isEqualTo(SIZE);
  }

  @Test
  void a_layer_that_is_smaller_than_the_disk_was_hides_what_lies_behind_its_end() {
    Layer top = new Layer(identity("/images/top.qcow2", 7), SIZE, List.of());
    Layer middle = new Layer(identity("/images/mid.qcow2", 7), 10 * GRANULE + 1024, List.of());
    DiskFacts facts = facts(SIZE, top, middle, image(SIZE, good(P1)));
    assertThat(assertIncrement(decide(facts, parent(P1)), P1).tailFrom()).isEqualTo(10 * GRANULE);
  }

  @Test
  void a_changed_backing_file_makes_a_full() {
    DiskFacts facts = facts(SIZE, image(SIZE, good(P1)), new Layer(BASE, SIZE, List.of()));
    assertIncrement(decide(facts, parent(P1, BASE)), P1);
    assertFull(decide(facts, parent(P1, identity("/images/base.qcow2", 2))), "was changed");
    assertFull(decide(facts, parent(P1)), "1 backing files");
  }

  @Test
  void a_restored_image_needs_nothing_below_it_to_be_as_it_was() {
    assertIncrement(decide(facts(SIZE, image(SIZE, good(P1))), parent(P1, BASE)), P1);
    assertIncrement(decide(facts(SIZE, image(SIZE, good(P1))), parent(P1, Optional.of(SNAP))), P1);
  }

  @Test
  void two_states_of_an_image_are_compared_by_their_tables() {
    SnapshotIdentity other = new SnapshotIdentity("2", "after", Instant.EPOCH, 9);
    ParentFacts ofSnap = parent(P1, Optional.of(SNAP));
    Increment toSnapshot =
        assertIncrement(
            decide(facts(SIZE, Optional.of(other), List.of(SNAP, other), image(SIZE)), ofSnap), P1);
    assertThat(toSnapshot.tables())
        .contains(new TableDifference(Optional.of(SNAP), Optional.of(other)));
    Increment toActive =
        assertIncrement(
            decide(facts(SIZE, Optional.empty(), List.of(SNAP), image(SIZE)), ofSnap), P1);
    assertThat(toActive.tables())
        .contains(new TableDifference(Optional.of(SNAP), Optional.empty()));
  }

  @Test
  void a_snapshot_made_again_under_the_same_name_is_another_one() {
    SnapshotIdentity again = new SnapshotIdentity("1", "before", Instant.EPOCH.plusNanos(1), 5);
    assertFull(
        decide(
            facts(SIZE, Optional.empty(), List.of(again), image(SIZE)),
            parent(P1, Optional.of(SNAP))),
        "no longer in the image");
  }

  @Test
  void from_the_active_state_to_a_snapshot_bitmap_and_tables_are_added_up() {
    Increment increment =
        assertIncrement(
            decide(
                facts(SIZE, Optional.of(SNAP), List.of(SNAP), image(SIZE, good(P1))), parent(P1)),
            P1);
    assertThat(increment.bitmaps()).hasSize(1);
    assertThat(increment.tables())
        .contains(new TableDifference(Optional.empty(), Optional.of(SNAP)));
  }

  @Test
  void a_users_own_bitmap_adds_to_a_trusted_one() {
    BitmapFact own = new BitmapFact("b0", 512, BitmapState.DISABLED, SIZE, Optional.empty());
    Verdict verdict =
        ChangeTracking.decide(
            facts(SIZE, image(SIZE, good(P1), own)), List.of(parent(P1)), Optional.of("b0"));
    assertThat(assertIncrement(verdict, P1).bitmaps())
        .containsExactly(new BitmapUse(0, "cowbell:" + P1), new BitmapUse(0, "b0"));
  }

  @Test
  void a_users_own_bitmap_alone_is_believed_with_a_warning() {
    BitmapFact own = new BitmapFact("b0", 512, BitmapState.RECORDING, SIZE, Optional.empty());
    Verdict verdict =
        ChangeTracking.decide(
            facts(SIZE, image(SIZE, own)), List.of(parent(P1)), Optional.of("b0"));
    Increment increment = assertIncrement(verdict, P1);
    assertThat(increment.bitmaps()).containsExactly(new BitmapUse(0, "b0"));
    assertThat(increment.warnings()).singleElement().asString().contains("your word");
  }

  @Test
  void a_users_own_bitmap_is_not_believed_when_it_cannot_be_right() {
    BitmapFact inUse = new BitmapFact("b0", 512, BitmapState.IN_USE, SIZE, Optional.empty());
    assertFull(
        ChangeTracking.decide(
            facts(SIZE, image(SIZE, inUse)), List.of(parent(P1)), Optional.of("b0")),
        "in use");
    BitmapFact own = new BitmapFact("b0", 512, BitmapState.RECORDING, SIZE + 512, Optional.empty());
    assertFull(
        ChangeTracking.decide(
            facts(SIZE + 512, image(SIZE + 512, own)), List.of(parent(P1)), Optional.of("b0")),
        "resized");
  }
}
