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
  private static final RefcountAudit CLEAN = new RefcountAudit(0, 0);

  private static SmallImage image(Random random, String backing) {
    boolean extended = random.nextInt(3) == 0;
    int clusterBits = extended ? 14 : 9 + random.nextInt(4);
    return new SmallImage(
        clusterBits,
        random.nextInt(7),
        (100L << clusterBits) + 512L * random.nextInt(9),
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
    for (int round = 0; round < 40; round++) {
      boolean backed = random.nextBoolean();
      SmallImage small = image(random, backed ? "backing" : "");
      byte[] backing = backing(random, small);
      byte[] initial = new byte[(int) small.diskSize()];
      if (backed) {
        System.arraycopy(backing, 0, initial, 0, backing.length);
      }
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
}
