package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Images of every kind, written in turn by QEMU and by us; QEMU says whether they are right. */
class WritingIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 1);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());

  @TempDir private Path folder;

  private static Qcow2Image open(Path image) throws IOException {
    return Qcow2Image.open(image, OpenOptions.following().withAccess(Access.READ_WRITE));
  }

  static Stream<Arguments> variants() {
    return WrittenVariant.all().stream().map(variant -> Arguments.of(SEED, variant));
  }

  @ParameterizedTest(name = "seed {0} {1}")
  @MethodSource("variants")
  void goes_on_where_qemu_wrote_and_leaves_what_qemu_goes_on_with(long seed, WrittenVariant variant)
      throws Exception {
    Random random = new Random(seed);
    Path image = variant.create(folder, random);
    byte[] snapshot = {};
    if (variant.canShare()) {
      QemuIo.of(image, variant.compressedWrites(random, 20));
    }
    for (int round = 0; round < ROUNDS; round++) {
      long size = QemuImg.info(image).get("virtual-size").asLong();
      QemuIo.of(image, WrittenVariant.changes(random, size, 10));
      if (round == 0 && variant.canShare()) {
        snapshot = Mirror.ofQemu(image).content().clone();
        QemuImg.of("snapshot", "-c", "before", image);
      }
      Mirror mirror = Mirror.ofQemu(image);
      try (Qcow2Image opened = open(image)) {
        for (int i = 0; i < 12; i++) {
          mirror.change(opened, random, random.nextInt(4) == 0 ? 1 : 512);
          if (random.nextInt(5) == 0) {
            opened.flush();
          }
          if (random.nextInt(6) == 0 && !(variant.version2() && variant.canShare())) {
            mirror.resize(opened, (1 + random.nextInt((int) (variant.diskSize() / 256))) * 512);
          }
        }
        mirror.assertShownBy(opened, "seed " + seed + " " + variant);
      }
      mirror.assertShownByQemu(image);
      if (variant.layer() == WrittenVariant.Layer.RAW_DATA_FILE) {
        byte[] raw = Files.readAllBytes(folder.resolve("guest.data"));
        byte[] shown = mirror.content();
        // QEMU lets the file end with a cluster when it copies one, behind the disk's end.
        assertThat(Arrays.mismatch(raw, 0, shown.length, shown, 0, shown.length))
            .as(
                "seed %d: %d bytes of data file, %d of disk",
                seed, raw.length, mirror.content().length)
            .isEqualTo(-1);
      }
    }
    if (variant.canShare()) {
      if (variant.layer() == WrittenVariant.Layer.EXTENDED) {
        // QEMU 7.2 can't grow a disk over a compressed cluster of such an image, as it has to here
        Cowbell.of("image", "snapshot", "-a", "before", image);
      } else {
        QemuImg.of("snapshot", "-a", "before", image);
      }
      assertThat(Arrays.mismatch(Mirror.ofQemu(image).content(), snapshot)).isEqualTo(-1);
      QemuImg.of("snapshot", "-d", "before", image);
      QemuImg.checkClean(image);
    }
  }

  @Test
  void keeps_what_many_threads_write_at_once() throws Exception {
    Path image = folder.resolve("image.qcow2");
    int size = 32 << 20;
    QemuImg.create(image, "cluster_size=65536", size);
    byte[] expected = new byte[size];
    int threads = 8;
    try (Qcow2Image opened = open(image);
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> running = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        int own = thread;
        running.add(
            executor.submit(() -> {
              writeOwnSectors(opened, expected, own, threads, new Random(SEED + own));
              return null;
            }));
      }
      for (Future<?> each : running) {
        each.get();
      }
    }
    QemuImg.checkClean(image);
    byte[] raw = Mirror.ofQemu(image).content();
    assertThat(Arrays.mismatch(raw, expected)).as("seed " + SEED).isEqualTo(-1);
  }

  /** Each thread owns every so manieth run of 4 KiB, so that all of them meet in every cluster. */
  private static void writeOwnSectors(
      Qcow2Image image, byte[] expected, int own, int threads, Random random) throws IOException {
    int unit = 4096;
    for (int i = 0; i < 600; i++) {
      int at = (random.nextInt(expected.length / unit / threads) * threads + own) * unit;
      byte[] bytes = new byte[unit];
      random.nextBytes(bytes);
      image.write(at, ByteBuffer.wrap(bytes));
      System.arraycopy(bytes, 0, expected, at, unit);
      byte[] read = new byte[unit];
      image.read(at, ByteBuffer.wrap(read));
      assertThat(read).isEqualTo(bytes);
      if (i % 100 == 99) {
        image.flush();
      }
    }
  }
}
