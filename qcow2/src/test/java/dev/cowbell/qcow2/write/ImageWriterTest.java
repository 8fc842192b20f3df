package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class ImageWriterTest {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 5);
  private static final RefcountAudit CLEAN = new RefcountAudit(0, 0);

  private static SmallImage image(Random random, String backing) {
    boolean extended = random.nextInt(3) == 0;
    int clusterBits = extended ? 14 : 9 + random.nextInt(3);
    return new SmallImage(
        clusterBits,
        random.nextInt(7),
        ((extended ? 12L : 100L) << clusterBits) + 512L * random.nextInt(9),
        extended ? FeatureBits.NONE.with(Feature.EXTENDED_L2) : FeatureBits.NONE,
        backing);
  }

  private static Qcow2Image open(CrashingHostFile file, byte[] backing) throws IOException {
    OpenOptions options =
        OpenOptions.strict()
            .withReferences(_ -> new MemoryHostFile("backing", backing))
            .withAccess(Access.READ_WRITE);
    return Qcow2Image.adopt(file, options);
  }

  private static byte[] backing(Random random, SmallImage image) {
    byte[] backing = new byte[(int) image.diskSize() / (1 + random.nextInt(2)) & -512];
    random.nextBytes(backing);
    return backing;
  }

  @Test
  void shows_what_was_written_and_leaves_no_leak_in_any_geometry(Random random) throws Exception {
    for (int round = 0; round < 5 * ROUNDS; round++) {
      boolean backed = random.nextBoolean();
      SmallImage small = image(random, backed ? "backing" : "");
      byte[] backing = backing(random, small);
      byte[] initial = initial(small, backing, backed);
      WrittenDisk model = new WrittenDisk(initial, random.nextBoolean() ? 1 : 512);
      CrashingHostFile file = new CrashingHostFile(small.bytes());
      for (int session = 0; session < 3; session++) {
        try (Qcow2Image image = open(file, backing)) {
          for (int i = 0; i < 12; i++) {
            model.change(image, random);
            if (random.nextInt(4) == 0) {
              image.flush();
            }
            model.assertShownBy(image);
          }
        }
        assertThat(RefcountAudit.of(file.content())).as(small.toString()).isEqualTo(CLEAN);
      }
    }
  }

  @Test
  void leaves_flushed_data_and_at_most_leaks_after_any_crash(Random random) throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      boolean backed = random.nextBoolean();
      SmallImage small = image(random, backed ? "backing" : "");
      byte[] backing = backing(random, small);
      CrashingHostFile file = new CrashingHostFile(small.bytes());
      WrittenDisk model = new WrittenDisk(initial(small, backing, backed), 512);
      try (Qcow2Image image = open(file, backing)) {
        for (int i = 0; i < 15; i++) {
          model.change(image, random);
          if (random.nextInt(4) == 0) {
            image.flush();
            model.flushed(file.flushes());
          }
        }
      }
      model.flushed(file.flushes());
      file.forEachCrash(random, 6, (left, flushes) -> assertSound(left, flushes, backing, model));
    }
  }

  private static void assertSound(byte[] left, int flushes, byte[] backing, WrittenDisk model)
      throws Exception {
    assertThat(RefcountAudit.of(left).corruptions()).isZero();
    OpenOptions options =
        OpenOptions.strict().withReferences(_ -> new MemoryHostFile("backing", backing));
    try (Qcow2Image image = Qcow2Image.adopt(new MemoryHostFile("left", left), options)) {
      model.assertLeftBy(flushes, image);
    }
  }

  private static byte[] initial(SmallImage small, byte[] backing, boolean backed) {
    byte[] initial = new byte[(int) small.diskSize()];
    if (backed) {
      System.arraycopy(backing, 0, initial, 0, backing.length);
    }
    return initial;
  }

  @Test
  void goes_on_or_fails_clearly_after_a_write_that_failed(Random random) throws Exception {
    for (int round = 0; round < 5 * ROUNDS; round++) {
      boolean backed = random.nextBoolean();
      SmallImage small = image(random, backed ? "backing" : "");
      byte[] backing = backing(random, small);
      CrashingHostFile file = new CrashingHostFile(small.bytes());
      WrittenDisk model = new WrittenDisk(initial(small, backing, backed), 512);
      int failures = 0;
      Qcow2Image image = open(file, backing);
      file.failAfter(random.nextInt(60));
      for (int i = 0; i < 30; i++) {
        try {
          model.change(image, random);
          if (random.nextInt(3) == 0) {
            image.flush();
            model.flushed(file.flushes());
          }
        } catch (IOException e) {
          failures++;
          file.failAfter(random.nextBoolean() ? Integer.MAX_VALUE : random.nextInt(20));
        }
      }
      file.failAfter(Integer.MAX_VALUE);
      boolean closed = false;
      try {
        image.close();
        closed = true;
      } catch (IOException e) {
        failures++;
      }
      if (closed) {
        model.flushed(file.flushes());
        try (Qcow2Image again = open(file, backing)) {
          model.assertShownBy(again);
        }
      }
      assertThat(failures > 0 || closed).isTrue();
      assertSound(file.content(), Integer.MAX_VALUE, backing, model);
      file.forEachCrash(random, 2, (left, flushes) -> assertSound(left, flushes, backing, model));
    }
  }
}
