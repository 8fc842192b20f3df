package dev.cowbell.qcow2.amend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.snapshot.SnapshotEditor;
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
import org.junit.jupiter.params.provider.CsvSource;

final class ImageAmendmentTest {
  private static final int CLUSTER_BITS = 9;
  private static final int CLUSTERS = 256;
  private static final int CRASHES = 6;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final Random random = new Random(seed);

  @ParameterizedTest
  @CsvSource({
    "3, 1", "3, 2", "3, 3", "3, 4", "3, 5", "3, 6", "2, 4",
  })
  void leaves_every_state_readable_after_a_crash(int version, int order) throws Exception {
    byte[] image = image(order == 4 ? 5 : 4);
    AmendOptions wanted = options(version, order);
    String what = "seed " + seed;
    DiskStates before = DiskStates.of(image);
    CrashingHostFile file = new CrashingHostFile(image);
    ImageAmendment.run(file, wanted);
    assertThat(RefcountAudit.of(file.content())).as(what).isEqualTo(new RefcountAudit(0, 0));
    Header after = HeadWriter.open(file).head().header();
    assertThat(after.version()).isEqualTo(version);
    assertThat(after.refcountWidth().order()).isEqualTo(order);
    file.forEachCrash(
        random,
        CRASHES,
        (crashed, flushed) -> {
          assertThat(DiskStates.of(crashed)).as(what).isEqualTo(before);
          assertThat(RefcountAudit.of(crashed).corruptions()).as(what).isZero();
        });
    for (int writes = 0; writes < file.changes(); writes++) {
      CrashingHostFile failing = new CrashingHostFile(image);
      failing.failAfter(writes);
      assertThatThrownBy(() -> ImageAmendment.run(failing, wanted)).isInstanceOf(IOException.class);
      assertThat(DiskStates.of(failing.content())).as(what).isEqualTo(before);
      assertThat(RefcountAudit.of(failing.content()).corruptions()).as(what).isZero();
    }
  }

  @Test
  void goes_to_version_2_and_back() throws Exception {
    MemoryHostFile file = new MemoryHostFile("image", image(4));
    DiskStates before = DiskStates.of(bytes(file));
    for (int version : new int[] {2, 3, 2, 3}) {
      ImageAmendment.run(file, options(version, 4));
      assertThat(HeadWriter.open(file).head().header().version()).isEqualTo(version);
      assertThat(DiskStates.of(bytes(file))).as("seed " + seed).isEqualTo(before);
      assertThat(RefcountAudit.of(bytes(file))).isEqualTo(new RefcountAudit(0, 0));
    }
  }

  @Test
  void refuses_widths_that_do_not_hold_what_is_there() throws Exception {
    byte[] image = image(4);
    MemoryHostFile file = new MemoryHostFile("image", image);
    assertThatThrownBy(() -> ImageAmendment.run(file, options(3, 0)))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining("refcounts of 1 bits allow 1");
    assertThat(bytes(file)).isEqualTo(image);
  }

  private static AmendOptions options(int version, int order) {
    return new AmendOptions(
        Optional.of(version), Optional.of(new RefcountWidth(order)), Optional.empty());
  }

  /** An image with data, zero clusters of both kinds, and two snapshots. */
  private byte[] image(int order) throws Exception {
    MemoryHostFile file =
        new MemoryHostFile(
            "image", new SmallImage(CLUSTER_BITS, order, (long) CLUSTERS << CLUSTER_BITS).bytes());
    for (int round = 0; round < 2; round++) {
      for (int i = 0; i < 30; i++) {
        TestGuest.write(file, random.nextInt(CLUSTERS), random.nextInt(256));
      }
      for (int i = 0; i < 10; i++) {
        long cluster = random.nextInt(CLUSTERS);
        TestGuest.write(file, cluster, 7);
        makeZero(file, cluster << CLUSTER_BITS);
      }
      try (SnapshotEditor editor = SnapshotEditor.open(file)) {
        editor.create(NewSnapshot.named("round " + round, Instant.EPOCH));
      }
    }
    TestGuest.write(file, 3, 3);
    assertThat(RefcountAudit.of(bytes(file))).as("seed " + seed).isEqualTo(new RefcountAudit(0, 0));
    return bytes(file);
  }

  /** Lets a cluster that was just written read as zeroes, and keep its place. */
  private static void makeZero(HostFile file, long guest) throws IOException {
    Header header = HeadWriter.open(file).head().header();
    Geometry geometry = header.geometry();
    long l2 = L1Entry.offset(word(file, header.l1TableOffset() + 8 * geometry.l1Index(guest)));
    long at = l2 + 8L * geometry.l2Index(guest);
    L2Entry zero = L2Entry.zeroAllocated(L2Entry.offset(word(file, at)), true);
    file.write(at, ByteBuffer.allocate(8).putLong(0, zero.word()));
  }

  private static long word(HostFile file, long at) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(8);
    file.readPadded(at, bytes);
    return bytes.getLong(0);
  }

  private static byte[] bytes(HostFile file) throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) file.size());
    file.readPadded(0, all);
    return all.array();
  }
}
