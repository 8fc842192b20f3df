package dev.cowbell.qcow2.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.SnapshotNotFoundException;
import dev.cowbell.qcow2.SnapshotRefusedException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.DiskStates;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import dev.cowbell.qcow2.testing.TestGuest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SnapshotEditorTest {
  private static final int CLUSTER_BITS = 9;
  private static final int CLUSTERS = 256;
  private static final int ROUNDS = 12 * Integer.getInteger("cowbell.rounds", 1);
  private static final int CRASHES = 6;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final Random random = new Random(seed);

  enum Change {
    CREATE,
    DELETE,
    APPLY;

    void make(HostFile file, String id) throws IOException {
      try (SnapshotEditor editor = SnapshotEditor.open(file)) {
        switch (this) {
          case CREATE -> editor.create(NewSnapshot.named("new", Instant.EPOCH));
          case DELETE -> editor.delete(id);
          case APPLY -> editor.apply(id);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void leaves_every_state_as_before_or_as_after_a_crash(Change change) throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      byte[] image = imageWithHistory();
      DiskStates before = DiskStates.of(image);
      CrashingHostFile file = new CrashingHostFile(image);
      change.make(file, before.ids().get(random.nextInt(before.ids().size())));
      DiskStates after = DiskStates.of(file.content());
      String what = "%s, seed %d, round %d".formatted(change, seed, round);
      assertThat(RefcountAudit.of(file.content())).as(what).isEqualTo(new RefcountAudit(0, 0));
      file.forEachCrash(
          random,
          CRASHES,
          (crashed, flushed) -> {
            assertThat(DiskStates.of(crashed)).as(what).isIn(before, after);
            assertThat(RefcountAudit.of(crashed).corruptions()).as(what).isZero();
          });
    }
  }

  @ParameterizedTest
  @EnumSource
  void leaves_every_state_as_before_or_as_after_a_failed_write(Change change) throws Exception {
    byte[] image = imageWithHistory();
    DiskStates before = DiskStates.of(image);
    String id = before.ids().get(random.nextInt(before.ids().size()));
    CrashingHostFile whole = new CrashingHostFile(image);
    change.make(whole, id);
    DiskStates after = DiskStates.of(whole.content());
    for (int writes = 0; writes < whole.changes(); writes++) {
      CrashingHostFile file = new CrashingHostFile(image);
      file.failAfter(writes);
      assertThatThrownBy(() -> change.make(file, id)).isInstanceOf(IOException.class);
      String what = "%s, seed %d, %d writes".formatted(change, seed, writes);
      assertThat(DiskStates.of(file.content())).as(what).isIn(before, after);
      assertThat(RefcountAudit.of(file.content()).corruptions()).as(what).isZero();
    }
  }

  /** An image of a few snapshots, none of which is what the active state is now. */
  private byte[] imageWithHistory() throws Exception {
    MemoryHostFile file = new MemoryHostFile("image", image(4));
    write(file, 40);
    for (int i = 0; i < 3; i++) {
      Change.CREATE.make(file, "");
      write(file, 1 + random.nextInt(20));
    }
    if (random.nextBoolean()) {
      Change.DELETE.make(file, "1");
      write(file, 5);
    }
    if (random.nextBoolean()) {
      Change.APPLY.make(file, "2");
      write(file, 5);
    }
    byte[] bytes = bytes(file);
    assertThat(RefcountAudit.of(bytes)).as("seed " + seed).isEqualTo(new RefcountAudit(0, 0));
    return bytes;
  }

  private void write(HostFile file, int clusters) throws IOException {
    for (int i = 0; i < clusters; i++) {
      TestGuest.write(file, random.nextInt(CLUSTERS), random.nextInt(256));
    }
  }

  private static byte[] image(int refcountOrder) {
    return new SmallImage(CLUSTER_BITS, refcountOrder, (long) CLUSTERS << CLUSTER_BITS).bytes();
  }

  private static byte[] bytes(HostFile file) throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) file.size());
    file.readPadded(0, all);
    return all.array();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 5, 6})
  void keeps_refcounts_of_every_width_and_refuses_what_does_not_fit(int order) throws Exception {
    MemoryHostFile file = new MemoryHostFile("image", image(order));
    write(file, 40);
    int most = order < 3 ? (1 << (1 << order)) - 2 : 6;
    for (int i = 0; i < most; i++) {
      Change.CREATE.make(file, "");
      assertThat(RefcountAudit.of(bytes(file))).isEqualTo(new RefcountAudit(0, 0));
    }
    if (order < 3) {
      byte[] before = bytes(file);
      assertThatThrownBy(() -> Change.CREATE.make(file, ""))
          .isInstanceOf(UnsupportedFeatureException.class)
          .hasMessageContaining("refcounts of " + (1 << order) + " bits allow");
      assertThat(bytes(file)).isEqualTo(before);
    }
    for (int i = most; i > 0; i--) {
      Change.APPLY.make(file, String.valueOf(i));
      Change.DELETE.make(file, String.valueOf(i));
      assertThat(RefcountAudit.of(bytes(file))).isEqualTo(new RefcountAudit(0, 0));
    }
    // Written in place again: nothing is shared, and every flag says so.
    long size = file.size();
    write(file, 1);
    assertThat(file.size()).isLessThanOrEqualTo(size + (2 << CLUSTER_BITS));
  }

  @Test
  void chooses_the_number_behind_the_greatest_id() throws Exception {
    MemoryHostFile file = new MemoryHostFile("image", image(4));
    try (SnapshotEditor editor = SnapshotEditor.open(file)) {
      editor.create(new NewSnapshot("a", Optional.of("7up"), Instant.EPOCH, 5));
      editor.create(NewSnapshot.named("b", Instant.EPOCH));
      editor.delete("a");
      editor.create(new NewSnapshot("c", Optional.of("none"), Instant.EPOCH, 0));
      editor.create(NewSnapshot.named("c", Instant.EPOCH));
      assertThat(editor.snapshots().entries())
          .extracting(SnapshotEntry::id)
          .containsExactly("8", "none", "9");
    }
  }

  @Test
  void refuses_ids_that_are_taken_and_names_that_are_too_long() throws Exception {
    MemoryHostFile file = new MemoryHostFile("image", image(4));
    try (SnapshotEditor editor = SnapshotEditor.open(file)) {
      editor.create(NewSnapshot.named("x".repeat(255), Instant.EPOCH));
      assertThatThrownBy(
              () -> editor.create(new NewSnapshot("a", Optional.of("1"), Instant.EPOCH, 0)))
          .isInstanceOf(SnapshotRefusedException.class)
          .hasMessageContaining("of the id 1 already");
      assertThatThrownBy(() -> editor.create(NewSnapshot.named("ü".repeat(128), Instant.EPOCH)))
          .isInstanceOf(SnapshotRefusedException.class)
          .hasMessageContaining("at most 255 bytes");
      assertThatThrownBy(() -> editor.delete("nobody"))
          .isInstanceOf(SnapshotNotFoundException.class);
    }
  }

  @Test
  void refuses_an_image_whose_data_counts_as_free() throws Exception {
    MemoryHostFile file = new MemoryHostFile("image", image(4));
    TestGuest.write(file, 0, 1);
    long cluster = (file.size() - 1) >>> CLUSTER_BITS;
    file.write((2L << CLUSTER_BITS) + 2 * cluster, ByteBuffer.allocate(2));
    byte[] before = bytes(file);
    assertThatThrownBy(() -> Change.CREATE.make(file, ""))
        .hasMessageContaining("counts as free; repair the image first");
    assertThat(bytes(file)).isEqualTo(before);
  }
}
