package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class BarrierModeTest {
  private static final SmallImage SMALL = new SmallImage(9, 4, 100L << 9);
  private static final OpenOptions WRITABLE = OpenOptions.strict().withAccess(Access.READ_WRITE);

  @Test
  void never_flushes_without_barriers(Random random) throws Exception {
    CrashingHostFile file = new CrashingHostFile(SMALL.bytes());
    WrittenDisk model = new WrittenDisk(new byte[(int) SMALL.diskSize()], 1);
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE.withBarriers(BarrierMode.NONE))) {
      for (int i = 0; i < 20; i++) {
        model.change(image, random);
        image.flush();
      }
    }
    assertThat(file.flushes()).isZero();
    assertThat(RefcountAudit.of(file.content())).isEqualTo(new RefcountAudit(0, 0));
    try (Qcow2Image image =
        Qcow2Image.adopt(new MemoryHostFile("left", file.content()), OpenOptions.strict())) {
      model.assertShownBy(image);
    }
  }

  @Test
  void makes_each_change_durable_before_it_returns_with_full_barriers(Random random)
      throws Exception {
    CrashingHostFile file = new CrashingHostFile(SMALL.bytes());
    WrittenDisk model = new WrittenDisk(new byte[(int) SMALL.diskSize()], 512);
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE.withBarriers(BarrierMode.FULL))) {
      for (int i = 0; i < 20; i++) {
        model.change(image, random);
        model.flushed(file.flushes());
      }
    }
    file.forEachCrash(
        random,
        4,
        (left, flushes) -> {
          assertThat(RefcountAudit.of(left).corruptions()).isZero();
          try (Qcow2Image image =
              Qcow2Image.adopt(new MemoryHostFile("left", left), OpenOptions.strict())) {
            model.assertLeftBy(flushes, image);
          }
        });
  }
}
