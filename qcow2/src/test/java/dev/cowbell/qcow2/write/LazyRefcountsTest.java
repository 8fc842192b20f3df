package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class LazyRefcountsTest {
  private static final int ROUNDS = Math.ceilDiv(Integer.getInteger("cowbell.rounds", 5), 2);
  private static final int CLUSTER = 512;
  private static final RefcountAudit CLEAN = new RefcountAudit(0, 0);
  private static final FeatureBits LAZY = FeatureBits.NONE.with(Feature.LAZY_REFCOUNTS);
  private static final OpenOptions WRITABLE = OpenOptions.strict().withAccess(Access.READ_WRITE);

  private static CrashingHostFile file(FeatureBits features) {
    return new CrashingHostFile(new SmallImage(9, 4, 100L * CLUSTER, features, "").bytes());
  }

  private static boolean isDirty(byte[] image) throws IOException {
    return Qcow2Image.readHead(new MemoryHostFile("image", image))
        .header()
        .features()
        .has(Feature.DIRTY);
  }

  private static void write(Qcow2Image image, int cluster) throws IOException {
    byte[] bytes = new byte[CLUSTER];
    Arrays.fill(bytes, (byte) 1);
    image.write((long) cluster * CLUSTER, ByteBuffer.wrap(bytes));
  }

  @Test
  void keeps_refcounts_in_memory_until_the_image_is_closed() throws Exception {
    CrashingHostFile file = file(LAZY);
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
      assertThat(isDirty(file.content())).isFalse();
      write(image, 3);
      image.flush();
      assertThat(isDirty(file.content())).isTrue();
      // The one cluster that is in use and counts as free.
      assertThat(RefcountAudit.of(file.content()).corruptions()).isEqualTo(1);
    }
    assertThat(isDirty(file.content())).isFalse();
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  @Test
  void leaves_the_dirty_bit_alone_while_no_refcount_changes() throws Exception {
    CrashingHostFile file = file(LAZY);
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
      write(image, 3);
    }
    byte[] before = file.content();
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
      write(image, 3);
      image.flush();
      assertThat(file.content()).isEqualTo(before);
    }
  }

  @Test
  void obeys_the_option_rather_than_the_header() throws Exception {
    for (LazyRefcounts wanted : new LazyRefcounts[] {LazyRefcounts.ON, LazyRefcounts.OFF}) {
      CrashingHostFile file = file(wanted == LazyRefcounts.ON ? FeatureBits.NONE : LAZY);
      try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE.withLazyRefcounts(wanted))) {
        write(image, 3);
        image.flush();
        assertThat(isDirty(file.content())).isEqualTo(wanted == LazyRefcounts.ON);
      }
      assertThat(isDirty(file.content())).isFalse();
      assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
    }
  }

  @Test
  void refuses_lazy_refcounts_for_version_2() throws Exception {
    byte[] image = new SmallImage(9, 4, 100L * CLUSTER).bytes();
    Qcow2Image.readHead(new MemoryHostFile("image", image))
        .header()
        .change()
        .version2()
        .build()
        .encode(ByteBuffer.wrap(image));
    assertThatThrownBy(() ->
            Qcow2Image.adopt(
                new MemoryHostFile("image", image), WRITABLE.withLazyRefcounts(LazyRefcounts.ON)))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining("version 2");
  }

  @Test
  void writes_refcounts_back_before_the_image_is_edited() throws Exception {
    CrashingHostFile file = file(LAZY);
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
      write(image, 3);
      byte[] edited = image.edit((own, head, clusters) -> file.content());
      assertThat(isDirty(edited)).isFalse();
      assertThat(RefcountAudit.of(edited)).isEqualTo(CLEAN);
      image.createSnapshot(NewSnapshot.named("first", Instant.EPOCH));
      write(image, 4);
      image.flush();
      assertThat(isDirty(file.content())).isTrue();
      image.resize(200L * CLUSTER, Shrinking.REFUSED);
      assertThat(RefcountAudit.of(file.content()).corruptions()).isZero();
    }
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  @Test
  void leaves_flushed_data_and_what_a_repair_puts_right_after_any_crash(Random random)
      throws Exception {
    int dirty = 0;
    for (int round = 0; round < ROUNDS; round++) {
      boolean extended = random.nextInt(3) == 0;
      int bits = extended ? 14 : 9;
      SmallImage small =
          new SmallImage(
              bits,
              4 + random.nextInt(3),
              (extended ? 12L : 100L) << bits,
              extended ? LAZY.with(Feature.EXTENDED_L2) : LAZY,
              "");
      CrashingHostFile file = new CrashingHostFile(small.bytes());
      WrittenDisk model = new WrittenDisk(new byte[(int) small.diskSize()], CLUSTER);
      try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
        for (int i = 0; i < 15; i++) {
          model.change(image, random);
          int choice = random.nextInt(12);
          if (choice < 3) {
            image.flush();
            model.flushed(file.flushes());
          } else if (choice == 3 && image.snapshots().entries().size() < 2) {
            image.createSnapshot(NewSnapshot.named("s", Instant.EPOCH));
          } else if (choice == 4 && !image.snapshots().entries().isEmpty()) {
            image.deleteSnapshot("s");
          }
        }
      }
      model.flushed(file.flushes());
      int[] dirtyStates = new int[1];
      file.forEachCrash(
          random, 3, (left, flushes) -> dirtyStates[0] += assertSound(left, flushes, model));
      dirty += dirtyStates[0];
    }
    assertThat(dirty).isPositive();
  }

  /** 1 if the image needs a repair. */
  private static int assertSound(byte[] left, int flushes, WrittenDisk model) throws Exception {
    boolean dirty = isDirty(left);
    if (!dirty) {
      assertThat(RefcountAudit.of(left).corruptions()).isZero();
    }
    try (Qcow2Image image =
        Qcow2Image.adopt(new MemoryHostFile("left", left), OpenOptions.strict())) {
      model.assertLeftBy(flushes, image);
    }
    if (!dirty) {
      return 0;
    }
    CrashingHostFile repaired = new CrashingHostFile(left);
    try (Qcow2Image image = Qcow2Image.adopt(repaired, WRITABLE)) {
      model.assertLeftBy(flushes, image);
    }
    assertThat(isDirty(repaired.content())).isFalse();
    assertThat(RefcountAudit.of(repaired.content())).isEqualTo(CLEAN);
    return 1;
  }

  @Test
  void goes_on_after_a_write_that_failed(Random random) throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      CrashingHostFile file = file(LAZY);
      WrittenDisk model = new WrittenDisk(new byte[100 * CLUSTER], CLUSTER);
      Qcow2Image image = Qcow2Image.adopt(file, WRITABLE);
      file.failAfter(random.nextInt(40));
      for (int i = 0; i < 20; i++) {
        try {
          model.change(image, random);
          if (random.nextInt(3) == 0) {
            image.flush();
            model.flushed(file.flushes());
          }
        } catch (IOException e) {
          file.failAfter(random.nextBoolean() ? Integer.MAX_VALUE : random.nextInt(20));
        }
      }
      file.failAfter(Integer.MAX_VALUE);
      try {
        image.close();
        model.flushed(file.flushes());
      } catch (IOException e) {
        // A flush failed before, which is final.
        assertThat(e).hasStackTraceContaining("as the test asked");
      }
      assertSound(file.content(), Integer.MAX_VALUE, model);
      file.forEachCrash(random, 1, (left, flushes) -> assertSound(left, flushes, model));
    }
  }
}
