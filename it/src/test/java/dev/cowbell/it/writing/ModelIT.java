package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.write.BarrierMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random operations on images of random kinds, against a plain array of bytes. At each stop the
 * content is compared by us and by QEMU, and QEMU has to find nothing wrong, no leak either.
 *
 * <p>{@code -Dcowbell.rounds=N} plays on N images instead of a few, some 1,200 operations each;
 * {@code -Dcowbell.seed=S} plays again what failed.
 */
final class ModelIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 14);
  private static final int STOPS = 4;
  private static final int OPERATIONS = 300;
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());

  @TempDir private Path dir;

  @Test
  @Timeout(value = 1, unit = TimeUnit.DAYS)
  void shows_what_a_plain_array_holds_after_any_operations() throws IOException {
    for (int round = 0; round < ROUNDS; round++) {
      long seed = SEED + round;
      Random random = new Random(seed);
      ModelGeometry geometry = ModelGeometry.any(random);
      Path folder = Files.createDirectory(dir.resolve("round" + round));
      ArrayDeque<String> story = new ArrayDeque<>();
      try {
        play(geometry, folder, random, story);
      } catch (Exception | AssertionError e) {
        throw new AssertionError("seed %d, %s: … %s".formatted(seed, geometry, story), e);
      }
      try (var files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static void play(
      ModelGeometry geometry, Path folder, Random random, ArrayDeque<String> story)
      throws IOException {
    Path image = geometry.create(folder, random);
    ModelDisk model = new ModelDisk(geometry, Mirror.ofQemu(image).content(), random);
    for (int stop = 0; stop < STOPS; stop++) {
      BarrierMode barriers = random.nextInt(10) == 0 ? BarrierMode.METADATA : BarrierMode.NONE;
      OpenOptions options =
          OpenOptions.following()
              .withAccess(Access.READ_WRITE)
              .withBarriers(barriers)
              .withLazyRefcounts(geometry.lazyRefcounts(random))
              .withL2CacheBytes(random.nextBoolean() ? 1 << 20 : 8 << 20);
      try (Qcow2Image opened = Qcow2Image.open(image, options)) {
        for (int i = 0; i < OPERATIONS; i++) {
          act(model, opened, story);
        }
        model.assertShownBy(opened);
      }
      story.add("reopen");
      assertSound(image, model.content());
    }
  }

  private static void act(ModelDisk model, Qcow2Image opened, ArrayDeque<String> story)
      throws IOException {
    try {
      model.act(opened);
    } finally {
      story.add(model.last());
      if (story.size() > 20) {
        story.removeFirst();
      }
    }
  }

  private static void assertSound(Path image, byte[] content) throws IOException {
    Shell.Result check = QemuImg.run("check", "-f", "qcow2", image);
    assertThat(check.exit()).as(check.toString()).isZero();
    Path raw = image.resolveSibling("model.raw");
    Files.write(raw, content);
    Shell.Result same = QemuImg.run("compare", "-f", "qcow2", "-F", "raw", image, raw);
    assertThat(same.exit()).as(same.toString()).isZero();
    assertThat(same.out()).doesNotContain("size mismatch");
  }
}
