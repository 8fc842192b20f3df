package dev.cowbell.it.bitmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuNbd;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same edits by us and by {@code qemu-img bitmap} on two images, with writes in between. */
@ExtendWith(SeededRandom.class)
final class BitmapTwinIT {

  private static final int STEPS = Integer.getInteger("cowbell.rounds", 20);
  private static final long SIZE = 40 << 20;

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512,refcount_bits=64",
        "cluster_size=4k",
        "cluster_size=64k",
        "cluster_size=2M,refcount_bits=1"
      })
  void random_edits_leave_the_same_bitmaps_as_qemu_img(String options, Random random)
      throws Exception {
    Path ours = dir.resolve("ours.qcow2");
    Path theirs = dir.resolve("theirs.qcow2");
    QemuImg.create(ours, options, SIZE);
    QemuImg.create(theirs, options, SIZE);
    List<String> names = new ArrayList<>();
    for (int step = 0; step < STEPS; step++) {
      if (random.nextInt(3) == 0) {
        ExtentSet runs = ImageFixture.runs(random, SIZE, 4, 200_000);
        long seed = random.nextLong();
        ImageFixture.writeByQemu(new Random(seed), ours, runs);
        ImageFixture.writeByQemu(new Random(seed), theirs, runs);
      } else {
        edit(random, ours, theirs, names, step);
      }
    }
    QemuImg.checkClean(ours);
    QemuImg.assertSame(ours, "qcow2", theirs, "qcow2");
    assertThat(ImageFixture.listOfQemu(ours)).isEqualTo(ImageFixture.listOfQemu(theirs));
    assertThat(ImageFixture.list(theirs)).isEqualTo(ImageFixture.list(ours));
    for (BitmapInfo info : ImageFixture.list(ours)) {
      ExtentSet dirty = QemuNbd.dirty(theirs, info.name());
      assertThat(QemuNbd.dirty(ours, info.name())).isEqualTo(dirty);
      assertThat(ImageFixture.load(ours, info.name()).toExtents()).isEqualTo(dirty);
      assertThat(ImageFixture.load(theirs, info.name()).toExtents()).isEqualTo(dirty);
    }
  }

  private static void edit(Random random, Path ours, Path theirs, List<String> names, int step)
      throws Exception {
    if (names.size() < 2 || (names.size() < 6 && random.nextInt(3) == 0)) {
      String name = "bitmap " + step;
      int bits = 9 + random.nextInt(10);
      ImageFixture.edit(ours, editor -> editor.add(name, bits, true, ExtentSet.empty()));
      QemuImg.of("bitmap", "--add", "-g", 1 << bits, theirs, name);
      names.add(name);
      return;
    }
    String name = names.get(random.nextInt(names.size()));
    String other = names.get(random.nextInt(names.size()));
    switch (random.nextInt(5)) {
      case 0 -> {
        ImageFixture.edit(ours, editor -> editor.remove(name));
        QemuImg.of("bitmap", "--remove", theirs, name);
        names.remove(name);
      }
      case 1 -> {
        ImageFixture.edit(ours, editor -> editor.clear(name));
        QemuImg.of("bitmap", "--clear", theirs, name);
      }
      case 2 -> {
        ImageFixture.edit(ours, editor -> editor.enable(name));
        QemuImg.of("bitmap", "--enable", theirs, name);
      }
      case 3 -> {
        ImageFixture.edit(ours, editor -> editor.disable(name));
        QemuImg.of("bitmap", "--disable", theirs, name);
      }
      default -> {
        ImageFixture.edit(ours, editor -> editor.merge(name, other));
        QemuImg.of("bitmap", "--merge", other, theirs, name);
      }
    }
  }
}
