package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.amend.AmendOptions;
import dev.cowbell.qcow2.amend.ImageAmendment;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.layers.LayerListener;
import dev.cowbell.qcow2.layers.LayerRebase;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.snapshot.SnapshotEditor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who writes next when a writer was killed: we after QEMU, QEMU after us. */
class KilledWriterIT {
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());
  private static final int SIZE = 16 << 20;
  private static final int INCOMPATIBLE_LOW = 79;
  private static final int DIRTY = 1;
  private static final int CORRUPT = 2;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=64k",
        "cluster_size=512,refcount_bits=8",
        "cluster_size=16k,extended_l2=on",
        "cluster_size=4k,refcount_bits=64,compression_type=zstd"
      })
  void goes_on_where_qemu_was_killed_with_refcounts_in_memory(String options) throws Exception {
    Path image = killedByQemu(options);
    Random random = new Random(SEED);

    Mirror mirror = Mirror.ofQemu(image);
    try (Qcow2Image opened = open(image)) {
      mirror.assertShownBy(opened, "seed " + SEED);
      for (int i = 0; i < 10; i++) {
        mirror.change(opened, random, 512);
      }
      mirror.assertShownBy(opened, "seed " + SEED);
    }

    assertThat(features(image) & DIRTY).isZero();
    mirror.assertShownByQemu(image);
    QemuImg.of("snapshot", "-a", "first", image);
    QemuIo.of(image, "read -q -P 1 0 1M");
    QemuImg.checkClean(image);
  }

  @FunctionalInterface
  private interface Edit {
    void run(Path image) throws IOException;
  }

  private static final Map<String, Edit> EDITS =
      Map.of(
          "bitmap",
          image -> {
            try (BitmapEditor editor = BitmapEditor.open(image)) {
              editor.add("b", 16, true, ExtentSet.empty());
              editor.commit();
            }
          },
          "snapshot",
          image -> {
            try (SnapshotEditor editor = SnapshotEditor.open(image)) {
              editor.create(NewSnapshot.named("second", Instant.EPOCH));
            }
          },
          "amend",
          image ->
              ImageAmendment.run(
                  image,
                  new AmendOptions(
                      Optional.empty(), Optional.of(new RefcountWidth(5)), Optional.of(false))),
          "rebase",
          image ->
              new LayerRebase(OpenOptions.following(), LayerListener.NONE)
                  .unsafely(image, Optional.empty()));

  @ParameterizedTest
  @ValueSource(strings = {"bitmap", "snapshot", "amend", "rebase"})
  void repairs_what_qemu_left_before_an_edit(String edit) throws IOException {
    Path image = killedByQemu("cluster_size=64k");
    Mirror mirror = Mirror.ofQemu(image);

    Objects.requireNonNull(EDITS.get(edit)).run(image);

    assertThat(features(image) & DIRTY).isZero();
    mirror.assertShownByQemu(image);
  }

  @Test
  void writes_nothing_to_what_is_marked_corrupt_too() throws IOException {
    Path image = killedByQemu("cluster_size=64k");
    byte[] bytes = Files.readAllBytes(image);
    bytes[INCOMPATIBLE_LOW] |= CORRUPT;
    Files.write(image, bytes);

    assertThatThrownBy(() -> open(image)).isInstanceOf(CorruptImageException.class);

    assertThat(Files.readAllBytes(image)).isEqualTo(bytes);
    assertThat(QemuIo.run(List.of("-f", "qcow2"), image, List.of("write 0 512")).failure())
        .contains("corrupt");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=64k",
        "cluster_size=4k",
        "cluster_size=16k,extended_l2=on",
        "cluster_size=512,compat=0.10"
      })
  void leaves_what_qemu_goes_on_with_when_killed(String options) throws Exception {
    Path image = folder.resolve("image.qcow2");
    QemuImg.create(image, options, SIZE);
    QemuIo.of(image, "write -q -P 1 0 1M", "write -q -P 2 9M 64k");
    QemuImg.of("snapshot", "-c", "first", image);
    Random random = new Random(SEED);
    for (int round = 0; round < 2; round++) {
      EndlessWriter.killedAfter(image, random.nextInt(200));

      Shell.Result check = QemuImg.check(image);
      assertThat(check.exit()).as("%s", check).isIn(0, 3);
      Mirror mirror = Mirror.ofQemu(image);
      byte[] content = mirror.content();
      for (int i = 0; i < SIZE / 2; i++) {
        if (content[i] != EndlessWriter.FLUSHED) {
          throw new AssertionError("lost the flushed byte at " + i + " of " + options);
        }
      }
      try (Qcow2Image opened = open(image)) {
        mirror.assertShownBy(opened, options);
      }
    }
    QemuIo.of(image, "write -q -P 9 0 3M", "write -q -P 10 8M 3M", "read -q -P 9 0 3M");
    assertThat(QemuImg.check("-r", "leaks", image).exit()).isZero();
    QemuImg.of("snapshot", "-a", "first", image);
    QemuIo.of(image, "read -q -P 1 0 1M", "read -q -P 0 1M 8M", "read -q -P 2 9M 64k");
    QemuImg.checkClean(image);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=64k",
        "cluster_size=4k,refcount_bits=8",
        "cluster_size=16k,extended_l2=on,refcount_bits=64"
      })
  void leaves_what_qemu_and_we_repair_when_killed_with_refcounts_in_memory(String options)
      throws Exception {
    Path image = folder.resolve("image.qcow2");
    QemuImg.create(image, options + ",lazy_refcounts=on", SIZE);
    QemuIo.of(image, "write -q -P 1 0 1M", "write -q -P 2 9M 64k");
    QemuImg.of("snapshot", "-c", "first", image);
    QemuImg.of("bitmap", "--add", image, "record");

    EndlessWriter.killedAfter(image, new Random(SEED).nextInt(100));

    assertThat(features(image) & DIRTY).isEqualTo(DIRTY);
    assertThat(QemuImg.check(image).exit()).isEqualTo(2);
    Mirror mirror = Mirror.ofQemu(image);
    byte[] content = mirror.content();
    for (int i = 0; i < SIZE / 2; i++) {
      if (content[i] != EndlessWriter.FLUSHED) {
        throw new AssertionError("lost the flushed byte at " + i + " of " + options);
      }
    }
    Path copy = Files.copy(image, folder.resolve("copy.qcow2"));
    QemuIo.of(copy, "write -q -P 5 0 64k");
    try (Qcow2Image opened = open(image)) {
      mirror.assertShownBy(opened, options);
    }
    for (Path repaired : List.of(copy, image)) {
      assertThat(features(repaired) & DIRTY).isZero();
      mirror.assertShownByQemu(repaired);
      QemuImg.of("bitmap", "--remove", repaired, "record");
      QemuImg.of("snapshot", "-a", "first", repaired);
      QemuIo.of(repaired, "read -q -P 1 0 1M", "read -q -P 0 1M 8M", "read -q -P 2 9M 64k");
      QemuImg.checkClean(repaired);
    }
  }

  private static Qcow2Image open(Path image) throws IOException {
    return Qcow2Image.open(image, OpenOptions.following().withAccess(Access.READ_WRITE));
  }

  private static int features(Path image) throws IOException {
    return Files.readAllBytes(image)[INCOMPATIBLE_LOW];
  }

  /** An image with a snapshot whose writer had no time to write its refcounts. */
  private Path killedByQemu(String options) throws IOException {
    Path image = folder.resolve("image.qcow2");
    QemuImg.create(image, options + ",lazy_refcounts=on", SIZE);
    QemuIo.of(image, "write -q -P 1 0 1M", "write -q -c -P 4 2M 64k");
    QemuImg.of("snapshot", "-c", "first", image);
    Shell.Result killed =
        QemuIo.run(
            List.of("-f", "qcow2"),
            image,
            List.of(
                "write -q -P 7 512k 3M",
                "flush",
                "write -q -P 8 9M 1M",
                "discard -q 1M 64k",
                "abort"));
    assertThat(killed.exit()).as("%s", killed).isNotZero();
    assertThat(features(image) & DIRTY).isEqualTo(DIRTY);
    assertThat(QemuImg.check(image).exit()).isEqualTo(2);
    return image;
  }
}
