package dev.cowbell.it.reading;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the tables say has changed, against what a comparison of all bytes says. */
class ChangesIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 12);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());
  private static final int STATES = 4;
  private static final int SECTOR = 512;

  @TempDir private Path folder;

  /** A state of the disk: its bytes, and what the guest touched since the one before. */
  private static final class State {
    private final byte[] bytes;
    private final ExtentSet touched;

    private State(byte[] bytes, ExtentSet touched) {
      this.bytes = bytes;
      this.touched = touched;
    }
  }

  static Stream<Arguments> rounds() {
    return IntStream.range(0, ROUNDS)
        .mapToObj(i -> Arguments.of(SEED + i, variant(i, new Random(SEED + i))));
  }

  private static Variant variant(int i, Random random) {
    Variant.Backing backing =
        random.nextBoolean() ? Variant.Backing.NONE : Variant.Backing.SHORTER_QCOW2;
    Variant variant =
        switch (i % 6) {
          case 0 -> Variant.v2(65536);
          case 1 -> Variant.v3(512);
          case 2 -> Variant.v3(16384).extended();
          case 3 -> Variant.v3(65536).zstd();
          case 4 -> Variant.v3(65536).extended().zstd();
          default -> Variant.v3(4096);
        };
    return variant.over(backing);
  }

  @ParameterizedTest(name = "seed {0} {1}")
  @MethodSource("rounds")
  void what_the_tables_say_is_what_differs(long seed, Variant variant) throws Exception {
    String what = "seed " + seed + " " + variant;
    Random random = new Random(seed);
    boolean writesOnly = random.nextInt(3) == 0;
    Path image = variant.create(folder, random);
    RandomGuest guest = new RandomGuest(random, variant.clusterSize(), true);
    long size = variant.diskSize();
    List<State> states = new ArrayList<>();
    for (int i = 0; i < STATES; i++) {
      if (writesOnly) {
        QemuIo.of(image, guest.writes(8, size));
      } else {
        guest.act(image, 8, size);
      }
      states.add(new State(bytes(image), guest.takeTouched()));
      if (i < STATES - 1) {
        QemuImg.of("snapshot", "-q", "-c", "s" + i, image);
      }
      if (variant.compat().equals("1.1") && random.nextInt(3) == 0 && i < STATES - 1) {
        size = resized(image, size, random);
      }
    }
    try (Qcow2Image opened = Qcow2Image.open(image, OpenOptions.following())) {
      for (int from = 0; from < STATES - 1; from++) {
        for (int to = from; to < STATES; to++) {
          ExtentSet changes = changes(opened, from, to);
          String pair = "%s from %d to %d".formatted(what, from, to);
          check(pair, states.subList(from, to + 1), changes, variant.clusterSize(), writesOnly);
        }
      }
    }
  }

  private static ExtentSet changes(Qcow2Image image, int from, int to) throws IOException {
    var before = image.snapshots().find("s" + from);
    return to == STATES - 1
        ? image.changesSince(before)
        : image.changes(before, image.snapshots().find("s" + to));
  }

  private static long resized(Path image, long size, Random random) {
    long target = random.nextBoolean() ? size + 3333 * SECTOR : size * 2 / 3 / SECTOR * SECTOR;
    QemuImg.of("resize", "-q", "--shrink", "-f", "qcow2", image, target);
    return target;
  }

  private static void check(
      String what, List<State> states, ExtentSet changes, int clusterSize, boolean writesOnly) {
    byte[] before = states.getFirst().bytes;
    byte[] after = states.getLast().bytes;
    int size = Math.max(before.length, after.length);
    ExtentSet differing = differing(before, after);
    assertThat(differing.difference(changes)).as(what).isEqualTo(ExtentSet.empty());
    // Between two states of one size the disk may have been smaller.
    boolean resized = states.stream().anyMatch(state -> state.bytes.length != size);
    if (resized) {
      return;
    }
    ExtentSet touched = ExtentSet.empty();
    for (State state : states.subList(1, states.size())) {
      touched = touched.union(state.touched);
    }
    ExtentSet allowed = touched.alignOutward(clusterSize).clip(0, size);
    assertThat(changes.difference(allowed)).as(what).isEqualTo(ExtentSet.empty());
    if (writesOnly) {
      assertThat(changes).as(what).isEqualTo(differing.alignOutward(clusterSize).clip(0, size));
    }
  }

  /** The sectors that differ, and all that only one of the states has. */
  private static ExtentSet differing(byte[] before, byte[] after) {
    int common = Math.min(before.length, after.length);
    ExtentSet.Builder differing = ExtentSet.builder();
    for (int at = 0; at < common; at += SECTOR) {
      if (!Arrays.equals(before, at, at + SECTOR, after, at, at + SECTOR)) {
        differing.add(at, SECTOR);
      }
    }
    differing.add(common, Math.max(before.length, after.length) - common);
    return differing.build();
  }

  private byte[] bytes(Path image) throws IOException {
    Path raw = folder.resolve("state.raw");
    QemuImg.of("convert", "-f", "qcow2", "-O", "raw", image, raw);
    return Files.readAllBytes(raw);
  }

  @ParameterizedTest(name = "seed {0} {1}")
  @MethodSource("rounds")
  void what_an_overlay_holds_itself_is_depth_0_of_its_map(long seed, Variant variant)
      throws Exception {
    Random random = new Random(seed);
    Path image = variant.over(Variant.Backing.QCOW2).create(folder, random);
    RandomGuest guest = new RandomGuest(random, variant.clusterSize(), true);
    guest.act(image, 20, variant.diskSize());
    ExtentSet.Builder expected = ExtentSet.builder();
    for (JsonNode run : QemuImg.map("-f", "qcow2", image)) {
      if (run.get("depth").asInt() == 0 && run.get("present").asBoolean()) {
        expected.add(run.get("start").asLong(), run.get("length").asLong());
      }
    }
    OpenOptions layer = OpenOptions.strict().withScope(OpenOptions.Scope.LAYER);
    try (Qcow2Image opened = Qcow2Image.open(image, layer)) {
      assertThat(opened.allocated()).as("seed %d %s", seed, variant).isEqualTo(expected.build());
    }
  }
}
