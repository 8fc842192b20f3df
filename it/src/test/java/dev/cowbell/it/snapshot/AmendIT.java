package dev.cowbell.it.snapshot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.reading.RandomGuest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Amended images mean to QEMU what they meant before. */
final class AmendIT {
  private static final long SIZE = (4 << 20) + 512;

  @TempDir private Path dir;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final Random random = new Random(seed);

  @ParameterizedTest
  @ValueSource(ints = {512, 65536, 2 << 20})
  void changes_refcount_widths_and_versions_back_and_forth(int clusterSize) throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "cluster_size=" + clusterSize, SIZE);
    RandomGuest guest = new RandomGuest(random, clusterSize, true);
    guest.act(image, 12, SIZE);
    SnapshotModel model = new SnapshotModel(image);
    QemuImg.of("snapshot", "-c", "one", image);
    model.created();
    String story = "seed " + seed + ":";
    for (String options :
        new String[] {
          "refcount_bits=64",
          "refcount_bits=8,lazy_refcounts=on",
          "compat=0.10,refcount_bits=16,lazy_refcounts=off",
          "compat=1.1,refcount_bits=32",
          "lazy_refcounts=off,refcount_bits=16",
          "compat=0.10",
          "compat=1.1"
        }) {
      Cowbell.of("image", "amend", "-o", options, image);
      story += " " + options;
      guest.act(image, 2, SIZE);
      model.written();
      model.verify(story + " written");
    }
    QemuImg.of("snapshot", "-a", "one", image);
    model.applied("1");
    model.verify(story + " applied");
    assertThat(QemuImg.info(image).at("/format-specific/data/refcount-bits").asInt()).isEqualTo(16);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64})
  void reaches_every_refcount_width(int bits) throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "cluster_size=4096", SIZE);
    new RandomGuest(random, 4096, false).act(image, 20, SIZE);
    SnapshotModel model = new SnapshotModel(image);
    Cowbell.of("image", "amend", "-f", "qcow2", "-o", "refcount_bits=" + bits, image);
    model.verify("seed " + seed);
    assertThat(QemuImg.info(image).at("/format-specific/data/refcount-bits").asInt())
        .isEqualTo(bits);
    assertThat(QemuImg.run("amend", "-f", "qcow2", "-o", "refcount_bits=16", image).exit())
        .isZero();
    model.verify("seed " + seed);
  }

  @Test
  void refuses_widths_that_do_not_hold_the_refcounts_there_are() throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "", SIZE);
    QemuIo.of(image, "write -P 1 0 1M");
    QemuImg.of("snapshot", "-c", "one", image);
    byte[] before = Files.readAllBytes(image);
    assertThat(Cowbell.run("image", "amend", "-o", "refcount_bits=1", image).failure())
        .contains("refcounts of 1 bits allow 1");
    assertThat(Files.readAllBytes(image)).isEqualTo(before);
  }

  @Test
  void refuses_what_version_2_can_not_hold() throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "extended_l2=on", SIZE);
    assertRefused(image, "compat=0.10", "extended L2");
    QemuImg.create(image, "data_file=" + dir.resolve("data"), SIZE);
    assertRefused(image, "compat=0.10", "external data file");
    QemuImg.create(image, "refcount_bits=8", SIZE);
    assertRefused(image, "compat=0.10", "refcounts of 16 bits, not of 8");
    QemuImg.create(image, "compression_type=zstd", SIZE);
    QemuIo.of(image, "write -c -P 1 0 64k");
    assertRefused(image, "compat=0.10", "compressed with ZSTD");
    QemuImg.create(image, "", SIZE);
    QemuImg.of("bitmap", "--add", image, "tracked");
    assertRefused(image, "compat=0.10", "persistent bitmaps");
    QemuImg.create(image, "", SIZE);
    QemuImg.of("snapshot", "-c", "one", image);
    QemuImg.of("resize", "-q", image, "+1M");
    assertRefused(image, "compat=0.10", "the snapshot 1 of");
    Path over = dir.resolve("over.qcow2");
    QemuImg.createOver(over, "", image.toString(), "qcow2", SIZE);
    QemuIo.of(over, "write -z 0 64k");
    assertRefused(over, "compat=0.10", "hide a backing file");
    assertRefused(over, "backing_file=other", "can't be amended");
    assertRefused(over, "cluster_size=4k", "can't be amended");
  }

  private static void assertRefused(Path image, String options, String why) throws Exception {
    byte[] before = Files.readAllBytes(image);
    assertThat(Cowbell.run("image", "amend", "-o", options, image).failure()).contains(why);
    assertThat(Files.readAllBytes(image)).isEqualTo(before);
  }

  @Test
  void keeps_backing_files_of_long_names() throws Exception {
    Path folder = Files.createDirectories(dir.resolve("x".repeat(200)).resolve("y".repeat(200)));
    Path base = folder.resolve("base.qcow2");
    QemuImg.create(base, "", SIZE);
    QemuIo.of(base, "write -P 3 0 1M");
    Path image = dir.resolve("image.qcow2");
    QemuImg.createOver(image, "compression_type=zstd", base.toString(), "qcow2", SIZE);
    QemuIo.of(image, "write -P 4 1M 1M");
    SnapshotModel model = new SnapshotModel(image);
    for (String compat : new String[] {"0.10", "1.1", "0.10", "1.1"}) {
      Cowbell.of("image", "amend", "-o", "compat=" + compat, image);
      model.verify(compat);
      assertThat(QemuImg.info(image).get("backing-filename").asText()).isEqualTo(base.toString());
      assertThat(QemuImg.info(image).get("backing-filename-format").asText()).isEqualTo("qcow2");
    }
  }
}
