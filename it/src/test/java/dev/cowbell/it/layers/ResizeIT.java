package dev.cowbell.it.layers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Disks that get another size, beside twins that qemu-img gives the same. */
final class ResizeIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 6);

  /** QEMU does not let a version 2 image grow over a longer backing file. */
  private static final String NO_ZEROES_IN_VERSION_2 = "Failed to zero out new clusters";

  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());

  @TempDir private Path dir;

  @Test
  void resizes_as_qemu_does() throws IOException {
    for (int round = 0; round < ROUNDS; round++) {
      Random random = new Random(SEED + round);
      RandomChain chain =
          RandomChain.make(Files.createDirectories(dir.resolve("r" + round)), random);
      String what = "seed %d, %s".formatted(SEED + round, chain);
      for (int step = 0; step < 3; step++) {
        resize(chain, random.nextInt(3) == 0 ? "base" : "top", random, what);
      }
    }
  }

  private static void resize(RandomChain chain, String name, Random random, String what)
      throws IOException {
    int size = (500 + random.nextInt(9000)) * 512;
    byte[] expected = Arrays.copyOf(Files.readAllBytes(chain.content(name)), size);
    Cowbell.of("image", "resize", "-f", chain.format(name), "--shrink", chain.ours(name), size);
    chain.assertSound(name);
    byte[] shown = Files.readAllBytes(chain.content(name));
    // QEMU would show what was behind the old end inside a cluster.
    assertThat(Arrays.mismatch(shown, expected)).as(what).isEqualTo(-1);
    Shell.Result twin =
        QemuImg.run("resize", "-f", chain.format(name), "--shrink", chain.qemus(name), size);
    if (!twin.err().contains(NO_ZEROES_IN_VERSION_2)) {
      twin.success();
      assertThat(QemuImg.info(chain.ours(name)).get("virtual-size"))
          .as(what)
          .isEqualTo(QemuImg.info(chain.qemus(name)).get("virtual-size"));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "qcow2,metadata",
    "qcow2,falloc",
    "qcow2,full",
    "raw,falloc",
    "raw,full",
    "raw,off",
    "qcow2,off"
  })
  void takes_space_for_what_is_new(String format, String mode) throws IOException {
    Path image = dir.resolve("image");
    QemuImg.of("create", "-q", "-f", format, image, 4 << 20);
    QemuIo.run(List.of("-f", format), image, List.of("write -P 3 0 3M")).success();
    Path raw = dir.resolve("raw");
    Cowbell.of("image", "resize", "-f", format, "--preallocation", mode, image, "+8M");
    QemuImg.of("convert", "-f", format, "-O", "raw", image, raw);
    byte[] content = Files.readAllBytes(raw);
    assertThat(content).hasSize(12 << 20);
    for (int i = 0; i < content.length; i++) {
      if (content[i] != (i < 3 << 20 ? 3 : 0)) {
        throw new AssertionError("offset " + i + " holds " + content[i]);
      }
    }
    long taken = QemuImg.info("-f", format, image).get("actual-size").asLong();
    if (mode.equals("falloc") || mode.equals("full")) {
      assertThat(taken).isGreaterThanOrEqualTo(11 << 20);
    } else {
      assertThat(taken).isLessThan(6 << 20);
    }
    if (format.equals("qcow2")) {
      QemuImg.checkClean(image);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=512", "cluster_size=64k"})
  void qemu_sees_the_old_size_or_zeroes_after_a_crash_over_a_longer_backing_file(String options)
      throws Exception {
    Path base = dir.resolve("base.raw");
    byte[] below = new byte[2 << 20];
    new Random(SEED).nextBytes(below);
    Files.write(base, below);
    Path image = dir.resolve("image.qcow2");
    int oldSize = 300_032;
    int newSize = 3 << 20;
    QemuImg.createOver(image, options, "base.raw", "raw", oldSize);
    CrashingHostFile file = new CrashingHostFile(Files.readAllBytes(image));
    OpenOptions writable =
        OpenOptions.strict()
            .withReferences(_ -> new MemoryHostFile("base", below))
            .withAccess(Access.READ_WRITE);
    try (Qcow2Image opened = Qcow2Image.adopt(file, writable)) {
      opened.resize(newSize, Shrinking.REFUSED);
    }
    byte[] expected = Arrays.copyOf(Arrays.copyOf(below, oldSize), newSize + 512);
    Set<Long> sizes = new HashSet<>();
    file.forEachCrash(
        new Random(SEED),
        2,
        (left, _) -> {
          Files.write(image, left);
          assertThat(QemuImg.check("-f", "qcow2", image).exit()).as("seed " + SEED).isIn(0, 3);
          long size = QemuImg.info("-f", "qcow2", image).get("virtual-size").asLong();
          sizes.add(size);
          // QEMU hides by itself what is below what it adds.
          QemuImg.of("resize", "-q", "-f", "qcow2", image, newSize + 512);
          Path raw = dir.resolve("raw");
          QemuImg.of("convert", "-f", "qcow2", "-O", "raw", image, raw);
          assertThat(Arrays.mismatch(Files.readAllBytes(raw), expected))
              .as("seed %d, size %d, differs at", SEED, size)
              .isEqualTo(-1);
        });
    assertThat(sizes).containsExactlyInAnyOrder((long) oldSize, (long) newSize);
  }

  @Test
  void gives_back_the_space_of_what_is_cut_off() throws IOException {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "", 32 << 20);
    QemuIo.of(image, "write -P 3 0 32M");
    Cowbell.of("image", "resize", "--shrink", image, "-24M");
    assertThat(Files.size(image)).isLessThan(10 << 20);
    QemuImg.checkClean(image);
    QemuIo.of(image, "read -P 3 0 8M");
  }

  @ParameterizedTest
  @ValueSource(strings = {"qcow2", "raw"})
  void refuses_what_qemu_refuses(String format) throws IOException {
    Path image = dir.resolve("image");
    QemuImg.of("create", "-q", "-f", format, image, 4 << 20);
    assertRefused(image, "--shrink", "-f", format, image, "2M");
    assertRefused(image, "more than 0", "-f", format, image, "-4M");
    assertRefused(
        image, "shrink", "-f", format, "--shrink", "--preallocation", "full", image, "2M");
    if (format.equals("raw")) {
      assertRefused(image, "metadata", "-f", format, "--preallocation", "metadata", image, "8M");
    } else {
      assertRefused(image, "multiple of 512", "-f", format, image, "4194305");
      QemuImg.of("amend", "-o", "compat=0.10", image);
      QemuImg.of("snapshot", "-c", "s", image);
      assertRefused(image, "version 2 with internal snapshots", "-f", format, image, "8M");
    }
  }

  private static void assertRefused(Path image, String why, Object... arguments)
      throws IOException {
    byte[] before = Files.readAllBytes(image);
    Object[] words = new Object[arguments.length + 2];
    words[0] = "image";
    words[1] = "resize";
    System.arraycopy(arguments, 0, words, 2, arguments.length);
    Shell.Result ours = Cowbell.run(words);
    assertThat(ours.exit()).as(ours.toString()).isIn(1, 2);
    assertThat(ours.err()).contains(why);
    Object[] theirs = new Object[arguments.length + 1];
    theirs[0] = "resize";
    System.arraycopy(arguments, 0, theirs, 1, arguments.length);
    assertThat(QemuImg.run(theirs).exit()).as(ours.toString()).isNotZero();
    assertThat(Files.readAllBytes(image)).isEqualTo(before);
  }
}
