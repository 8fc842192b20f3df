package dev.cowbell.it.bitmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.QemuNbd;
import dev.cowbell.it.qemu.QemuSystem;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bitmaps that we write and QEMU reads, and the reverse, in every geometry. */
@ExtendWith(SeededRandom.class)
final class BitmapExchangeIT {

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512,refcount_bits=1",
        "cluster_size=512,refcount_bits=64",
        "cluster_size=1k,refcount_bits=2",
        "cluster_size=4k,refcount_bits=4",
        "cluster_size=64k",
        "cluster_size=64k,extended_l2=on,compression_type=zstd",
        "cluster_size=256k,refcount_bits=32",
        "cluster_size=2M,refcount_bits=8"
      })
  void qemu_agrees_with_what_we_write(String options, Random random) throws Exception {
    Path image = dir.resolve("a.qcow2");
    long size = 64 << 20;
    QemuImg.create(image, options, size);
    ImageFixture.writeByQemu(random, image, ImageFixture.runs(random, size, 20, 300_000));
    Path before = dir.resolve("before.qcow2");
    Files.copy(image, before);
    List<BitmapInfo> added = new ArrayList<>();
    List<ExtentSet> marks = new ArrayList<>();
    ImageFixture.edit(
        image,
        editor -> {
          for (int i = 0; i < 4; i++) {
            int bits = i == 0 ? editor.defaultGranularityBits() : 9 + random.nextInt(12);
            BitmapInfo info = new BitmapInfo("cowbell:" + i, bits, i % 2 == 0, false);
            ExtentSet runs = ImageFixture.runs(random, size, 1 << (i * 2), size / 3);
            editor.add(info.name(), bits, info.enabled(), runs);
            added.add(info);
            marks.add(DirtyBitmap.of(runs, size, bits).toExtents());
          }
        });
    QemuImg.checkClean(image);
    QemuImg.assertSame(image, "qcow2", before, "qcow2");
    assertThat(ImageFixture.listOfQemu(image)).isEqualTo(added);
    assertThat(ImageFixture.list(image)).isEqualTo(added);
    for (int i = 0; i < added.size(); i++) {
      assertThat(QemuNbd.dirty(image, added.get(i).name())).isEqualTo(marks.get(i));
    }

    ExtentSet written = ImageFixture.runs(random, size, 5, 100_000);
    ImageFixture.writeByQemu(random, image, written);
    for (int i = 0; i < added.size(); i++) {
      BitmapInfo info = added.get(i);
      ExtentSet expected =
          info.enabled()
              ? marks
                  .get(i)
                  .union(DirtyBitmap.of(written, size, info.granularityBits()).toExtents())
              : marks.get(i);
      assertThat(ImageFixture.load(image, info.name()).toExtents()).isEqualTo(expected);
    }
    ImageFixture.edit(
        image,
        editor -> {
          for (BitmapInfo info : added) {
            editor.remove(info.name());
          }
        });
    QemuImg.checkClean(image);
    assertThat(ImageFixture.listOfQemu(image)).isEmpty();
  }

  @Test
  void reads_every_granularity_that_qemu_writes(Random random) throws Exception {
    Path image = dir.resolve("a.qcow2");
    long size = (5L << 30) + 512 * 3;
    QemuImg.create(image, "", size);
    for (int bits = 9; bits <= 31; bits++) {
      QemuImg.of("bitmap", "--add", "-g", 1L << bits, image, "g" + bits);
    }
    ImageFixture.writeByQemu(random, image, ImageFixture.runs(random, size, 12, 3_000_000));
    List<String> names = new ArrayList<>();
    for (BitmapInfo info : ImageFixture.list(image)) {
      names.add(info.name());
      assertThat(info)
          .isEqualTo(
              new BitmapInfo("g" + info.granularityBits(), info.granularityBits(), true, false));
      assertThat(ImageFixture.load(image, info.name()).toExtents())
          .isEqualTo(QemuNbd.dirty(image, info.name()));
    }
    assertThat(names).hasSize(23);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=512", "cluster_size=4k", "cluster_size=2M"})
  void reads_enabled_and_disabled_bitmaps_of_qemu_in_any_cluster_size(String options, Random random)
      throws Exception {
    Path image = dir.resolve("a.qcow2");
    long size = 300 << 20;
    QemuImg.create(image, options, size);
    QemuImg.of("bitmap", "--add", "-g", "512", image, "fine");
    QemuImg.of("bitmap", "--add", image, "usual");
    ImageFixture.writeByQemu(random, image, ImageFixture.runs(random, size, 40, 500_000));
    QemuImg.of("bitmap", "--disable", image, "fine");
    ImageFixture.writeByQemu(random, image, ImageFixture.runs(random, size, 5, 500_000));
    assertThat(ImageFixture.list(image)).isEqualTo(ImageFixture.listOfQemu(image)).hasSize(2);
    for (String name : List.of("fine", "usual")) {
      ExtentSet theirs = QemuNbd.dirty(image, name);
      assertThat(theirs.isEmpty()).isFalse();
      assertThat(ImageFixture.load(image, name).toExtents()).isEqualTo(theirs);
      Random spots = new Random(1);
      for (int i = 0; i < 50; i++) {
        long at = spots.nextLong(size);
        assertThat(ImageFixture.isDirty(image, name, at)).isEqualTo(theirs.contains(at));
      }
    }
  }

  @Test
  void a_running_qemu_knows_our_bitmaps_and_keeps_them() throws Exception {
    Path image = dir.resolve("a.qcow2");
    QemuImg.create(image, "", 1 << 30);
    ImageFixture.edit(
        image,
        editor -> {
          editor.add("on", 16, true, ExtentSet.of((1 << 30) - 1, 1));
          editor.add("off", 20, false, ExtentSet.of(0, 3 << 20));
        });
    try (QemuSystem system = QemuSystem.open(image)) {
      assertThat(system.bitmaps().toString())
          .contains("\"name\":\"on\"")
          .contains("\"recording\":true")
          .contains("\"count\":65536")
          .contains("\"name\":\"off\"")
          .contains("\"recording\":false")
          .contains("\"count\":3145728")
          .doesNotContain("inconsistent");
    }
    QemuImg.checkClean(image);
    assertThat(ImageFixture.load(image, "off").toExtents()).isEqualTo(ExtentSet.of(0, 3 << 20));
    assertThat(ImageFixture.isDirty(image, "on", (1 << 30) - 1)).isTrue();
  }

  @Test
  void a_bitmap_of_a_ten_tebibyte_disk_is_exchanged_both_ways(Random random) throws Exception {
    Path image = dir.resolve("a.qcow2");
    long size = 10L << 40;
    QemuImg.create(image, "", size);
    QemuImg.of("bitmap", "--add", image, "theirs");
    ExtentSet runs = ImageFixture.runs(random, size, 30, 4_000_000);
    List<String> commands = new ArrayList<>();
    runs.forEachRun(
        (at, length) -> commands.add("discard " + at + " " + Math.min(length, 1 << 20)));
    QemuIo.of(image, commands);
    assertThat(ImageFixture.load(image, "theirs").toExtents())
        .isEqualTo(QemuNbd.dirty(image, "theirs"));
    ImageFixture.edit(
        image, editor -> editor.add("ours", 16, true, ExtentSet.of(0, 6L << 40).union(runs)));
    ExtentSet expected = ExtentSet.of(0, 6L << 40).union(runs).alignOutward(1 << 16);
    assertThat(QemuNbd.dirty(image, "ours")).isEqualTo(expected.clip(0, size));
    QemuImg.checkClean(image);
  }
}
