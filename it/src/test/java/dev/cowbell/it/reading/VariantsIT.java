package dev.cowbell.it.reading;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Images of every kind, made and filled by QEMU, read as QEMU reads them. */
class VariantsIT {
  private static final int RANDOM_VARIANTS = Integer.getInteger("cowbell.rounds", 8);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());

  @TempDir private Path folder;

  static Stream<Arguments> zoo() {
    return Variant.zoo().stream().map(variant -> Arguments.of(SEED, variant));
  }

  static Stream<Arguments> randomVariants() {
    return IntStream.range(0, RANDOM_VARIANTS)
        .mapToObj(i -> Arguments.of(SEED + i, Variant.random(new Random(SEED + i))));
  }

  /** A state of the disk, kept as a raw file by QEMU when it was the active one. */
  private record State(String name, Path raw, long size) {}

  @ParameterizedTest(name = "seed {0} {1}")
  @MethodSource({"zoo", "randomVariants"})
  void reads_and_maps_as_qemu_does(long seed, Variant variant) throws Exception {
    String what = "seed " + seed + " " + variant;
    Random random = new Random(seed);
    Path image = variant.create(folder, random);
    RandomGuest guest = new RandomGuest(random, variant.clusterSize(), variant.canCompress());
    long size = variant.diskSize();
    List<State> snapshots = new ArrayList<>();
    for (int round = 0; round < 3; round++) {
      guest.act(image, 10, size);
      if (round < 2 && variant.canSnapshot()) {
        String name = "state " + round;
        snapshots.add(keep(image, name, size));
        QemuImg.of("snapshot", "-q", "-c", name, image);
        if (round == 1 && variant.compat().equals("1.1")) {
          size += random.nextBoolean() ? 700 * 512 : -size / 3 / 512 * 512;
          QemuImg.of("resize", "-q", "--shrink", "-f", "qcow2", image, size);
        }
      }
    }
    State active = keep(image, "active", size);
    try (Qcow2Image opened = Qcow2Image.open(image, OpenOptions.following())) {
      Contents.assertReadsAs(opened, active.raw(), random, what);
      Contents.assertMapsAs(opened, image, what);
      assertThat(opened.snapshots().entries()).hasSameSizeAs(snapshots);
      for (State state : snapshots) {
        SnapshotEntry entry = opened.snapshots().find(state.name());
        assertThat(opened.snapshotSize(entry)).isEqualTo(state.size());
        Contents.assertReadsAs(
            opened.openSnapshot(entry), state.raw(), random, what + ", " + state.name());
        if (state.size() == size) {
          Path converted = folder.resolve("converted");
          QemuImg.of("convert", "-f", "qcow2", "-O", "raw", "-l", entry.id(), image, converted);
          assertThat(Files.mismatch(converted, state.raw())).isEqualTo(-1);
        }
      }
    }
  }

  private State keep(Path image, String name, long size) throws IOException {
    Path raw = folder.resolve(name + ".raw");
    QemuImg.of("convert", "-f", "qcow2", "-O", "raw", image, raw);
    assertThat(Files.size(raw)).isEqualTo(size);
    return new State(name, raw, size);
  }

  @Test
  void reads_a_preallocated_image() throws Exception {
    Path image = folder.resolve("image.qcow2");
    QemuImg.create(image, "preallocation=metadata", 64 << 20);
    QemuIo.of(image, "write -P 7 1M 1M", "write -z 3M 1M");
    Path raw = keep(image, "active", 64 << 20).raw();
    try (Qcow2Image opened = Qcow2Image.open(image, OpenOptions.following())) {
      Contents.assertReadsAs(opened, raw, new Random(1), "preallocated");
      Contents.assertMapsAs(opened, image, "preallocated");
    }
  }

  @Test
  void reads_from_many_threads_at_once() throws Exception {
    Path image = Variant.v3(65536).zstd().over(Variant.Backing.QCOW2).create(folder, new Random(5));
    long size = Variant.v3(65536).diskSize();
    new RandomGuest(new Random(6), 65536, true).act(image, 60, size);
    Path raw = keep(image, "active", size).raw();
    OpenOptions tiny = OpenOptions.following().withL2CacheBytes(1);
    try (Qcow2Image opened = Qcow2Image.open(image, tiny)) {
      List<Throwable> failures = new ArrayList<>();
      List<Thread> threads =
          IntStream.range(0, 8)
              .mapToObj(i ->
                  Thread.ofVirtual()
                      .start(() -> {
                        try {
                          Contents.assertReadsAs(opened, raw, new Random(i), "thread");
                        } catch (IOException | AssertionError e) {
                          synchronized (failures) {
                            failures.add(e);
                          }
                        }
                      }))
              .toList();
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failures).isEmpty();
    }
  }
}
