package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code image check -r} puts right what {@code qemu-img check -r} does, and harms nothing. */
final class RepairIT {

  /** What a check ends with that found corruption. */
  private static final int CORRUPT = 2;

  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 4);

  /** QEMU reports success for this one, having written over guest data. */
  private static final String LEFT_ALONE = "DATA_ON_ITS_OWN_L2";

  /** QEMU may make a file as long as a wrong offset says; in blocks of 512 bytes. */
  private static final int LONGEST_TWIN = 128 << 11;

  private static final RepairedVariant PLAIN = RepairedVariant.plain();

  @TempDir private static Path shared;

  private static Path plain;

  @TempDir private Path dir;

  @BeforeAll
  static void createOnce() throws IOException {
    plain = PLAIN.create(shared);
  }

  static List<Harm> harms() {
    return Harm.all();
  }

  static List<RepairedVariant> variants() {
    return RepairedVariant.all();
  }

  @ParameterizedTest
  @MethodSource("harms")
  void repairs_what_qemu_repairs(Harm harm) throws IOException {
    Path damaged = dir.resolve("damaged.qcow2");
    harm.copy(plain, damaged);
    Path twin = Files.copy(damaged, dir.resolve("twin.qcow2"));
    Shell.Result ours = Cowbell.run("image", "check", "--json", damaged);
    Shell.Result theirs = PLAIN.check(damaged);
    if (theirs.exit() != 1) {
      assertThat(QemuImg.json(ours.out()).path("leaks"))
          .isEqualTo(QemuImg.json(theirs.out()).path("leaks"));
    }

    Shell.Result repair = repair(PLAIN, damaged, harm.name());

    Shell.Result twins = repairWithQemu(twin);
    if (twins.exit() == 0 && !harm.name().equals(LEFT_ALONE)) {
      assertThat(repair.exit()).as("%s%n%s", repair, twins).isZero();
      Map<String, Path> of = PLAIN.read(damaged, "ours");
      Map<String, Path> ofTwin = PLAIN.read(twin, "twin");
      assertThat(of.keySet()).isEqualTo(ofTwin.keySet());
      for (String state : of.keySet()) {
        assertThat(Files.mismatch(of.get(state), ofTwin.get(state)))
            .as("%s%n%s%n%s", state, repair, twins)
            .isEqualTo(-1);
      }
    }
  }

  private static Shell.Result repairWithQemu(Path twin) {
    String bounded = "ulimit -f " + LONGEST_TWIN + "; exec qemu-img check -f qcow2 -r all \"$1\"";
    return Shell.run("sh", "-c", bounded, "sh", twin);
  }

  @ParameterizedTest
  @MethodSource("variants")
  void random_damage_never_costs_readable_data(RepairedVariant variant) throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    SplittableRandom random = new SplittableRandom(seed);
    Path sound = variant.create(dir);
    Path damaged = dir.resolve("damaged.qcow2");
    for (int round = 0; round < ROUNDS; round++) {
      List<String> done = Damage.damage(sound, damaged, 1 + random.nextInt(4), random);
      repair(
          variant,
          damaged,
          "%s, -Dcowbell.seed=%d round %d: %s".formatted(variant, seed, round, done));
    }
  }

  @Test
  void keeps_snapshots_and_bitmaps_where_an_image_has_both() throws IOException {
    RepairedVariant variant =
        new RepairedVariant("cluster_size=4k", 2, RepairedVariant.Part.BITMAP);
    Path sound = variant.create(dir);
    for (String mode : List.of("leaks", "all")) {
      Path image = dir.resolve(mode + ".qcow2");
      Harm.Bytes bytes = new Harm.Bytes(Files.readAllBytes(sound));
      bytes.refcount(bytes.data() / bytes.clusterSize(), 9);
      Files.write(image, bytes.array());
      assertThat(Cowbell.run("image", "check", "-r", mode, image).exit()).isZero();
      QemuImg.checkClean(image);
      Map<String, Path> before = variant.read(sound, "before");
      Map<String, Path> after = variant.read(image, "after");
      assertThat(after.keySet()).isEqualTo(before.keySet()).hasSize(3);
      for (String state : after.keySet()) {
        assertThat(Files.mismatch(before.get(state), after.get(state))).isEqualTo(-1);
      }
      JsonNode bitmaps = QemuImg.info(image).at("/format-specific/data/bitmaps");
      assertThat(bitmaps).isEqualTo(QemuImg.info(sound).at("/format-specific/data/bitmaps"));
      assertThat(bitmaps).hasSize(1);
    }
  }

  @Test
  void frees_the_clusters_of_bitmaps_that_an_old_program_disowned() throws IOException {
    RepairedVariant variant =
        new RepairedVariant("cluster_size=4k", 2, RepairedVariant.Part.BITMAP);
    Path damaged = dir.resolve("damaged.qcow2");
    new Harm("BITMAPS_LOST", image -> image.set(88, 0)).copy(variant.create(dir), damaged);
    assertThat(repair(variant, damaged, "bitmaps").exit()).isZero();
    QemuImg.checkClean(damaged);
  }

  @Test
  void repairs_nothing_that_another_process_uses() throws IOException {
    Path image = new RepairedVariant("cluster_size=64k", 0).create(dir);
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
    Path sound = new RepairedVariant("cluster_size=64k", 0).create(dir);
    Harm.Bytes bytes = new Harm.Bytes(Files.readAllBytes(sound));
    bytes.refcount(bytes.data() / bytes.clusterSize(), 4);
    Path ours = Files.write(dir.resolve("ours.qcow2"), bytes.array());
    Path twin = dir.resolve("twin.qcow2");
    for (String mode : List.of("leaks", "all")) {
      Files.write(ours, bytes.array());
      Files.copy(ours, twin, StandardCopyOption.REPLACE_EXISTING);
      assertThat(Cowbell.run("image", "check", "-r", mode, ours).out())
          .isEqualTo(QemuImg.run("check", "-r", mode, twin).out());
      assertThat(QemuImg.check(ours).exit()).isZero();
      Files.write(ours, bytes.array());
      Files.copy(ours, twin, StandardCopyOption.REPLACE_EXISTING);
      JsonNode said = QemuImg.json(Cowbell.run("image", "check", "--json", "-r", mode, ours).out());
      JsonNode expected = QemuImg.json(QemuImg.check("-r", mode, twin).out());
      assertThat(said.path("leaks-fixed")).isEqualTo(expected.path("leaks-fixed"));
      assertThat(said.path("corruptions-fixed")).isEqualTo(expected.path("corruptions-fixed"));
    }
  }

  /**
   * What may be said where QEMU says this. QEMU unlocks an encrypted image before it checks it, so
   * that it can't where the keys are cut off; a check without a passphrase finds that an encryption
   * header is missing. And QEMU gives up at a broken table of a bitmap that is in use, though
   * nobody needs that.
   */
  private static Set<Integer> verdicts(Shell.Result qemus) {
    if (qemus.err().contains("cannot unlock any keyslot")) {
      return Set.of(CORRUPT);
    }
    return qemus.err().contains("Check failed")
        ? Set.of(qemus.exit(), CORRUPT)
        : Set.of(qemus.exit());
  }

  /** Repairs, and holds what is left against QEMU's verdict and what could be read before. */
  private Shell.Result repair(RepairedVariant variant, Path damaged, String context)
      throws IOException {
    Shell.Result theirs = variant.check(damaged);
    Shell.Result ours = Cowbell.run("image", "check", "--json", damaged);
    assertThat(ours.exit()).as("%s%n%s%n%s", context, theirs, ours).isIn(verdicts(theirs));
    Map<String, Path> before = variant.read(damaged, "before");

    Shell.Result repair = Cowbell.run("image", "check", "--json", "-r", "all", damaged);

    assertThat(repair.err()).as(context).doesNotContain("internal error");
    Shell.Result after = Cowbell.run("image", "check", "--json", damaged);
    Shell.Result agreed = variant.check(damaged);
    String all =
        "%s%nbefore %s%nrepair %s%nafter %s%nQEMU after %s"
            .formatted(context, theirs, repair, after, agreed);
    assertThat(after.exit()).as(all).isIn(verdicts(agreed));
    assertThat(repair.exit()).as(all).isEqualTo(after.exit());
    Map<String, Path> read = variant.read(damaged, "after");
    for (String state : before.keySet()) {
      assertThat(read).as(all).containsKey(state);
      assertThat(Files.mismatch(before.get(state), read.get(state)))
          .as("%s%nstate %s", all, state)
          .isEqualTo(-1);
    }
    return repair;
  }
}
