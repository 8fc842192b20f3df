package dev.cowbell.it.bitmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a crash in the middle of an edit leaves, as QEMU sees it. */
@ExtendWith(SeededRandom.class)
final class BitmapCrashIT {

  private static final int CRASHES = Integer.getInteger("cowbell.rounds", 3);
  private static final long SIZE = 8 << 20;

  @TempDir private Path dir;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=512,refcount_bits=64 | false",
        "cluster_size=4k                   | true",
        "cluster_size=64k                  | true"
      })
  void qemu_finds_leaks_at_most_and_all_old_or_all_new_bitmaps(
      String options, boolean backed, Random random) throws Exception {
    Path image = dir.resolve("a.qcow2");
    if (backed) {
      Path base = dir.resolve("base.raw");
      Files.write(base, new byte[(int) SIZE / 2]);
      QemuImg.createOver(image, options, base.getFileName().toString(), "raw", SIZE);
    } else {
      QemuImg.create(image, options, SIZE);
    }
    ImageFixture.writeByQemu(random, image, ImageFixture.runs(random, SIZE, 10, 100_000));
    Path original = dir.resolve("original.qcow2");
    Files.copy(image, original);

    List<ImageFixture.Edit> edits =
        List.of(
            editor -> editor.add("cowbell:1", 9, true, marks(random)),
            editor -> editor.add("foreign", 16, true, marks(random)),
            editor -> {
              editor.add("cowbell:2", 9, true, marks(random));
              editor.remove("cowbell:1");
            },
            editor -> editor.disable("foreign"),
            editor -> editor.merge("foreign", "cowbell:2"),
            editor -> editor.clear("foreign"),
            editor -> {
              editor.remove("foreign");
              editor.remove("cowbell:2");
            });
    byte[] before = Files.readAllBytes(image);
    for (ImageFixture.Edit edit : edits) {
      before = crashing(before, edit, original, random);
    }
  }

  private static ExtentSet marks(Random random) {
    return ImageFixture.runs(random, SIZE, 4, SIZE / 2);
  }

  private byte[] crashing(byte[] before, ImageFixture.Edit edit, Path original, Random random)
      throws Exception {
    Path crashed = dir.resolve("crashed.qcow2");
    Files.write(crashed, before);
    List<BitmapInfo> old = ImageFixture.listOfQemu(crashed);
    CrashingHostFile file = new CrashingHostFile(before);
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      edit.on(editor);
      editor.commit();
    }
    Files.write(crashed, file.content());
    QemuImg.checkClean(crashed);
    List<BitmapInfo> now = ImageFixture.listOfQemu(crashed);
    file.forEachCrash(
        random,
        CRASHES,
        (left, _) -> {
          Files.write(crashed, left);
          Shell.Result check = QemuImg.check(crashed);
          assertThat(check.exit()).as(check.toString()).isIn(0, 3);
          assertThat(QemuImg.json(check.out()).path("corruptions").asInt()).isZero();
          QemuImg.assertSame(crashed, "qcow2", original, "qcow2");
          List<BitmapInfo> found = ImageFixture.listOfQemu(crashed);
          if ((!old.isEmpty() && !now.isEmpty()) || !found.isEmpty()) {
            assertThat(found).isIn(old, now);
          }
          if (random.nextInt(3) == 0) {
            QemuIo.of(crashed, "write 0 512", "flush");
            assertThat(QemuImg.check(crashed).exit()).isIn(0, 3);
          }
        });
    return file.content();
  }
}
