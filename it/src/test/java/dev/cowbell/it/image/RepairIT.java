package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code image check -r} puts right what {@code qemu-img check -r} does, and harms nothing. */
final class RepairIT {

  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 6);
  private static final long SIZE = 8 << 20;
  private static final long COPIED = 1L << 63;
  private static final int REFCOUNT_TABLE = 48;
  private static final int FEATURES = 72;

  /** QEMU reports success for these, but writes over guest data or hides a snapshot's damage. */
  private static final Set<String> LEFT_ALONE =
      Set.of("DATA_ON_ITS_OWN_L2", "SNAPSHOT_L1_UNALIGNED", "SNAPSHOT_L1_PAST_THE_END");

  @TempDir private Path dir;

  /** An image in memory, to be damaged. */
  static final class Bytes {
    private ByteBuffer image;

    Bytes(byte[] content) {
      image = ByteBuffer.wrap(content);
    }

    long word(long at) {
      return image.getLong((int) at);
    }

    void set(long at, long word) {
      image.putLong((int) at, word);
    }

    int clusterSize() {
      return 1 << image.getInt(20);
    }

    long refcountTable() {
      return word(REFCOUNT_TABLE);
    }

    long block() {
      return word(refcountTable());
    }

    long l1() {
      return word(40);
    }

    long l2() {
      return word(l1()) & 0x00ff_ffff_ffff_fe00L;
    }

    void refcount(long cluster, int value) {
      image.putShort((int) (block() + 2 * cluster), (short) value);
    }

    long data() {
      return word(l2()) & 0x00ff_ffff_ffff_fe00L;
    }

    void grow(int clusters) {
      byte[] grown = Arrays.copyOf(image.array(), image.capacity() + clusters * clusterSize());
      image = ByteBuffer.wrap(grown);
    }

    long end() {
      return image.capacity();
    }
  }

  interface Harm {
    void harm(Bytes image);
  }

  /**
   * A damage of an image with 16-bit refcounts.
   *
   * @param name for the report
   */
  record Case(String name, Harm harm) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Case> cases() {
    return List.of(
        new Case(
            "LEAKED_CLUSTER",
            image -> {
              image.grow(2);
              image.refcount(image.end() / image.clusterSize() - 1, 1);
            }),
        new Case(
            "REFCOUNT_TOO_HIGH", image -> image.refcount(image.data() / image.clusterSize(), 5)),
        new Case(
            "REFCOUNT_ZERO_ON_DATA",
            image -> image.refcount(image.data() / image.clusterSize(), 0)),
        new Case("REFCOUNT_ZERO_ON_HEADER", image -> image.refcount(0, 0)),
        new Case(
            "REFCOUNT_ZERO_ON_L2", image -> image.refcount(image.l2() / image.clusterSize(), 0)),
        new Case(
            "NO_REFCOUNT_TABLE",
            image -> {
              image.set(REFCOUNT_TABLE, 0);
              image.image.putInt(REFCOUNT_TABLE + 8, 0);
            }),
        new Case("EMPTY_REFCOUNT_TABLE", image -> image.set(image.refcountTable(), 0)),
        new Case("REFCOUNT_TABLE_PAST_THE_END", image -> image.set(REFCOUNT_TABLE, 1L << 40)),
        new Case(
            "REFCOUNT_BLOCK_PAST_THE_END",
            image -> image.set(image.refcountTable(), image.end() * 4)),
        new Case(
            "REFCOUNT_BLOCK_UNALIGNED",
            image -> image.set(image.refcountTable(), image.block() + 512)),
        new Case(
            "REFCOUNT_TABLE_ENTRY_RESERVED",
            image -> image.set(image.refcountTable(), image.block() + 1)),
        new Case(
            "REFCOUNT_BLOCK_ON_ITS_TABLE",
            image -> image.set(image.refcountTable(), image.refcountTable())),
        new Case(
            "REFCOUNT_BLOCK_ON_THE_HEADER",
            image -> image.set(image.refcountTable() + 8, image.block())),
        new Case(
            "L2_ON_REFCOUNT_BLOCK", image -> image.set(image.l1() + 8, image.block() | COPIED)),
        new Case(
            "DATA_ON_REFCOUNT_BLOCK", image -> image.set(image.l2() + 8, image.block() | COPIED)),
        new Case("DATA_ON_HEADER_TABLES", image -> image.set(image.l2() + 8, image.l1() | COPIED)),
        new Case("DATA_ON_ITS_OWN_L2", image -> image.set(image.l2() + 8, image.l2() | COPIED)),
        new Case("DATA_TWICE", image -> image.set(image.l2() + 8, image.data() | COPIED)),
        new Case("L2_IS_L1", image -> image.set(image.l1(), image.l1() | COPIED)),
        new Case("DATA_PAST_THE_END", image -> image.set(image.l2() + 8, (1L << 40) | COPIED)),
        new Case(
            "DATA_JUST_PAST_THE_END_AND_A_REBUILD",
            image -> {
              image.set(image.l2() + 8, image.end() | COPIED);
              image.refcount(0, 0);
            }),
        new Case(
            "DATA_UNALIGNED", image -> image.set(image.l2() + 8, image.word(image.l2() + 8) + 512)),
        new Case(
            "PREALLOCATION_UNALIGNED",
            image -> image.set(image.l2() + 8, (image.word(image.l2() + 8) + 512) | 1)),
        new Case("L2_UNALIGNED", image -> image.set(image.l1(), image.word(image.l1()) + 512)),
        new Case("L2_PAST_THE_END", image -> image.set(image.l1() + 8, (1L << 41) | COPIED)),
        new Case(
            "COPIED_FLAGS_MISSING",
            image -> {
              image.set(image.l1(), image.word(image.l1()) & ~COPIED);
              image.set(image.l2(), image.word(image.l2()) & ~COPIED);
            }),
        new Case(
            "RESERVED_BITS",
            image -> {
              image.set(image.l1(), image.word(image.l1()) | 4);
              image.set(image.l2(), image.word(image.l2()) | 8);
            }),
        new Case("DIRTY_BIT", image -> image.set(FEATURES, image.word(FEATURES) | 1)),
        new Case("CORRUPT_BIT", image -> image.set(FEATURES, image.word(FEATURES) | 2)),
        new Case(
            "DIRTY_WITH_LOW_REFCOUNTS",
            image -> {
              image.set(FEATURES, image.word(FEATURES) | 1);
              image.refcount(image.data() / image.clusterSize(), 0);
            }),
        new Case("BITMAPS_LOST", image -> image.set(FEATURES + 16, 0)),
        new Case("SNAPSHOT_WITHOUT_EXTRA_DATA", RepairIT::dropExtraData),
        new Case(
            "SNAPSHOT_WITH_TOO_MUCH_EXTRA_DATA",
            image -> image.image.putInt((int) image.word(64) + 36, 4096)),
        new Case(
            "SNAPSHOT_L1_UNALIGNED",
            image -> image.set(image.word(64), image.word(image.word(64)) + 512)),
        new Case("SNAPSHOT_L1_PAST_THE_END", image -> image.set(image.word(64), 1L << 42)));
  }

  /** Makes the first entry one of an old program: its extra data becomes part of nothing. */
  private static void dropExtraData(Bytes image) {
    int at = (int) image.word(64);
    int extra = image.image.getInt(at + 36);
    int names = image.image.getShort(at + 12) + image.image.getShort(at + 14);
    byte[] text = new byte[names];
    image.image.get(at + 40 + extra, text);
    image.image.putInt(at + 36, 0);
    image.image.put(at + 40, text);
    image.image.putInt(60, 1);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void repairs_what_qemu_repairs(Case damage) throws IOException {
    Path sound = image("cluster_size=4k", true);
    Bytes bytes = new Bytes(Files.readAllBytes(sound));
    damage.harm().harm(bytes);
    Path damaged = Files.write(dir.resolve("damaged.qcow2"), bytes.image.array());
    checkRepair(damaged, damage.name(), true);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compat=0.10",
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=1",
        "cluster_size=2M,refcount_bits=64",
        "cluster_size=16k,refcount_bits=8,extended_l2=on",
        "cluster_size=64k,refcount_bits=2,compression_type=zstd",
        "cluster_size=4k,refcount_bits=4",
        "cluster_size=32k,refcount_bits=32,lazy_refcounts=on"
      })
  void random_damage_never_costs_readable_data(String options) throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    SplittableRandom random = new SplittableRandom(seed);
    boolean snapshots = !options.contains("bits=1") && !options.contains("bits=2");
    Path sound = image(options, snapshots);
    Path damaged = dir.resolve("damaged.qcow2");
    for (int round = 0; round < ROUNDS; round++) {
      List<String> done = Damage.damage(sound, damaged, 1 + random.nextInt(4), random);
      checkRepair(
          damaged,
          "%s, -Dcowbell.seed=%d round %d: %s".formatted(options, seed, round, done),
          false);
    }
  }

  @Test
  void repairs_nothing_that_another_process_uses() throws IOException {
    Path image = image("cluster_size=64k", false);
    try (var _ = ChannelHostFile.open(image, ImageLock.Use.WRITE)) {
      for (List<Object> command :
          List.<List<Object>>of(List.of("-r", "all", image), List.of(image))) {
        List<Object> full = new ArrayList<>(List.of("image", "check"));
        full.addAll(command);
        assertThat(Cowbell.run(full.toArray()).exit()).isEqualTo(1);
        assertThat(QemuImg.check(command.toArray()).exit()).isEqualTo(1);
      }
      assertThat(Cowbell.run("image", "check", "-U", image).exit()).isZero();
    }
  }

  @Test
  void says_what_qemu_says() throws IOException {
    Path sound = image("cluster_size=64k", false);
    Bytes bytes = new Bytes(Files.readAllBytes(sound));
    bytes.refcount(bytes.data() / bytes.clusterSize(), 4);
    Path ours = Files.write(dir.resolve("ours.qcow2"), bytes.image.array());
    Path twin = dir.resolve("twin.qcow2");
    for (String mode : List.of("leaks", "all")) {
      Files.write(ours, bytes.image.array());
      Files.copy(ours, twin, StandardCopyOption.REPLACE_EXISTING);
      assertThat(Cowbell.run("image", "check", "-r", mode, ours).out())
          .isEqualTo(QemuImg.run("check", "-r", mode, twin).out());
      assertThat(QemuImg.check(ours).exit()).isZero();
      Files.write(ours, bytes.image.array());
      Files.copy(ours, twin, StandardCopyOption.REPLACE_EXISTING);
      JsonNode said = QemuImg.json(Cowbell.run("image", "check", "--json", "-r", mode, ours).out());
      JsonNode expected = QemuImg.json(QemuImg.check("-r", mode, twin).out());
      assertThat(said.path("leaks-fixed")).isEqualTo(expected.path("leaks-fixed"));
      assertThat(said.path("corruptions-fixed")).isEqualTo(expected.path("corruptions-fixed"));
    }
  }

  private void checkRepair(Path damaged, String context, boolean comparesCounts)
      throws IOException {
    Shell.Result theirs = QemuImg.check("-f", "qcow2", damaged);
    Shell.Result before = Cowbell.run("image", "check", "--json", damaged);
    assertThat(before.exit()).as("%s%n%s%n%s", context, theirs, before).isEqualTo(theirs.exit());
    if (comparesCounts && theirs.exit() != 1) {
      assertThat(QemuImg.json(before.out()).path("leaks"))
          .as(context)
          .isEqualTo(QemuImg.json(theirs.out()).path("leaks"));
    }
    List<String> states = List.of("", "first");
    List<Path> read = read(damaged, states, "before");

    Path twin = dir.resolve("twin.qcow2");
    Files.copy(damaged, twin, StandardCopyOption.REPLACE_EXISTING);
    // QEMU makes the file as long as a wrong refcount table entry asks for, and lists every cluster
    Shell.Result twinRepair =
        comparesCounts ? QemuImg.check("-f", "qcow2", "-r", "all", twin) : QemuImg.run("--version");

    Shell.Result repair = Cowbell.run("image", "check", "--json", "-r", "all", damaged);
    assertThat(repair.err()).as(context).doesNotContain("internal error");
    Shell.Result after = Cowbell.run("image", "check", "--json", damaged);
    Shell.Result agreed = QemuImg.check("-f", "qcow2", damaged);
    String all =
        "%s%nbefore %s%nQEMU's repair %s%nrepair %s%nafter %s%nQEMU after %s"
            .formatted(context, theirs, twinRepair, repair, after, agreed);
    assertThat(after.exit()).as(all).isEqualTo(agreed.exit());
    assertThat(repair.exit()).as(all).isEqualTo(after.exit());
    if (comparesCounts && twinRepair.exit() == 0 && !LEFT_ALONE.contains(context)) {
      assertThat(after.exit()).as(all).isZero();
    }
    List<Path> again = read(damaged, states, "after");
    for (int i = 0; i < states.size(); i++) {
      if (Files.exists(read.get(i))) {
        assertThat(again.get(i)).as(all + " state " + states.get(i)).exists();
        assertThat(Files.mismatch(read.get(i), again.get(i)))
            .as(all + " state " + states.get(i))
            .isEqualTo(-1);
      }
    }
  }

  /** Reads each state that can be read into a raw file. */
  private List<Path> read(Path image, List<String> states, String tag) throws IOException {
    List<Path> files = new ArrayList<>();
    for (String state : states) {
      Path raw = dir.resolve(tag + "-" + state + ".raw");
      Files.deleteIfExists(raw);
      List<Object> command =
          new ArrayList<>(List.of("image", "convert", "-f", "qcow2", "-O", "raw"));
      if (!state.isEmpty()) {
        command.addAll(List.of("-l", state));
      }
      command.addAll(List.of(image, raw));
      if (Cowbell.run(command.toArray()).exit() != 0) {
        Files.deleteIfExists(raw);
      }
      files.add(raw);
    }
    return files;
  }

  private Path image(String options, boolean snapshots) throws IOException {
    Path image = dir.resolve("sound.qcow2");
    QemuImg.create(image, options, SIZE);
    int cluster = QemuImg.info(image).path("cluster-size").asInt();
    QemuIo.of(
        image,
        List.of(
            "write -q -P 1 0 1M",
            "write -q -c -P 9 %d %d".formatted(2 << 20, cluster),
            "write -q -P 2 3M 128k",
            "write -q -z 4M 128k"));
    if (snapshots) {
      QemuImg.of("snapshot", "-c", "first", image);
      QemuIo.of(image, List.of("write -q -P 3 3M 256k"));
    }
    if (!options.contains("0.10")) {
      QemuImg.of("bitmap", "--add", "-g", "64k", image, "tracked");
    }
    return image;
  }
}
