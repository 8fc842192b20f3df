package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code image check} says what {@code qemu-img check} says. */
final class CheckIT {

  private static final int DAMAGES = Integer.getInteger("cowbell.rounds", 12);
  private static final long SIZE = 24 << 20;

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compat=0.10",
        "compat=1.1",
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=1",
        "cluster_size=2M,refcount_bits=64",
        "cluster_size=16k,refcount_bits=8,extended_l2=on",
        "extended_l2=on",
        "cluster_size=64k,refcount_bits=2,compression_type=zstd",
        "cluster_size=32k,refcount_bits=32,lazy_refcounts=on"
      })
  void counts_and_verdicts_equal_qemus(String options) throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    SplittableRandom random = new SplittableRandom(seed);
    Path image = imageWithEverything(options, random);
    String context = options + ", -Dcowbell.seed=" + seed;

    Shell.Result theirs = QemuImg.check(image);
    Shell.Result ours = Cowbell.run("image", "check", "--json", image);
    assertThat(ours.exit()).as(context).isEqualTo(theirs.exit()).isZero();
    assertThat(QemuImg.json(ours.out())).as(context).isEqualTo(QemuImg.json(theirs.out()));
    assertThat(Cowbell.of("image", "check", image))
        .as(context)
        .isEqualTo(QemuImg.of("check", image));

    for (int round = 0; round < DAMAGES; round++) {
      Path damaged = dir.resolve("damaged.qcow2");
      List<String> damage = Damage.damage(image, damaged, 1 + random.nextInt(3), random);
      sameVerdict(damaged, context + " round " + round + ": " + damage);
    }
  }

  private static void sameVerdict(Path damaged, String context) {
    // a destroyed magic number makes QEMU take the file for a raw disk, unless it is told
    Shell.Result theirs = QemuImg.check("-f", "qcow2", damaged);
    Shell.Result ours = Cowbell.run("image", "check", "--json", damaged);
    assertThat(ours.exit()).as("%s%n%s%n%s", context, theirs, ours).isEqualTo(theirs.exit());
    if (ours.exit() == 3) {
      JsonNode counts = QemuImg.json(ours.out());
      assertThat(counts.path("leaks"))
          .as("leaks: %s%n%s", context, ours)
          .isEqualTo(QemuImg.json(theirs.out()).path("leaks"));
    }
  }

  private Path imageWithEverything(String options, SplittableRandom random) {
    Path image = dir.resolve("sound.qcow2");
    QemuImg.create(image, options, SIZE);
    boolean v3 = !options.contains("0.10");
    // narrower refcounts can't count compressed clusters in several snapshots
    boolean snapshots =
        !options.contains("refcount_bits=1") && !options.contains("refcount_bits=2");
    compress(image, random);
    write(image, random, 12);
    if (snapshots) {
      QemuImg.of("snapshot", "-c", "first", image);
      write(image, random, 6);
      QemuImg.of("snapshot", "-c", "second", image);
    }
    if (v3) {
      QemuImg.of("bitmap", "--add", "-g", "64k", image, "tracked");
    }
    write(image, random, 6);
    return image;
  }

  /** QEMU compresses only into clusters that nothing is allocated for. */
  private static void compress(Path image, SplittableRandom random) {
    int cluster = QemuImg.info(image).path("cluster-size").asInt();
    List<String> commands = new ArrayList<>();
    for (long at = 0; at < SIZE && commands.size() < 12; at += cluster * (1 + random.nextLong(9))) {
      commands.add("write -q -c -P %d %d %d".formatted(random.nextInt(256), at, cluster));
    }
    QemuIo.of(image, commands);
  }

  private static void write(Path image, SplittableRandom random, int times) {
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      long odd = random.nextLong(SIZE - 200_000) & -512;
      commands.add(
          switch (random.nextInt(5)) {
            case 1 -> "write -q -z %d 128k".formatted(odd);
            case 2 -> "discard -q %d 128k".formatted(odd);
            default ->
                "write -q -P %d %d %d"
                    .formatted(random.nextInt(256), odd, 512 * (1 + random.nextInt(300)));
          });
    }
    QemuIo.of(image, commands);
  }
}
