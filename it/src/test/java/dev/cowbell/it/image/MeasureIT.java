package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.crypto.EncryptedQemu;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code image measure} gives qemu-img's numbers. */
final class MeasureIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 60);
  private static final String[] CLUSTERS = {"512", "4k", "16k", "64k", "2M"};
  private static final String[] PREALLOCATION = {"off", "metadata", "falloc", "full"};

  @TempDir private Path dir;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final SplittableRandom random = new SplittableRandom(seed);

  @Test
  void sizes_are_measured_as_qemu_measures_them() {
    for (int round = 0; round < ROUNDS; round++) {
      long size = random.nextLong(1L << random.nextInt(10, 34));
      assertAlike("--size", size, "-O", random.nextInt(5) == 0 ? "raw" : "qcow2");
      assertAlike("--size", size, "-O", "qcow2", "-o", options());
    }
  }

  @Test
  void images_are_measured_as_qemu_measures_them() {
    for (int round = 0; round < ROUNDS / 10; round++) {
      Path image = dir.resolve("image" + round + ".qcow2");
      long size = 512 * random.nextLong(20_000, 60_000);
      // of images with larger clusters QEMU looks at the holes inside the file, too
      QemuImg.create(image, "cluster_size=" + CLUSTERS[random.nextInt(4)], size);
      List<String> commands = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        long at = 512 * random.nextLong(size / 512 - 800);
        long length = 512 * random.nextLong(1, 800);
        commands.add(
            "write -q %s %d %d".formatted(random.nextInt(4) == 0 ? "-z" : "-P 3", at, length));
      }
      QemuIo.of(image, commands);
      QemuImg.of("snapshot", "-c", "then", image);
      QemuImg.of("bitmap", "--add", "-g", "64k", image, "one");
      QemuImg.of("bitmap", "--add", "-g", "4k", image, "a longer name than the other");
      QemuIo.of(image, "write -q -P 1 0 3M");
      for (int i = 0; i < 6; i++) {
        assertAlike("-O", "qcow2", "-o", options(), image);
      }
      assertAlike("-O", "qcow2", "-l", "then", image);
      assertAlike("-O", "raw", image);
      Path raw = dir.resolve("image" + round + ".raw");
      QemuImg.of("convert", "-O", "raw", image, raw);
      assertAlike("-f", "raw", "-O", "qcow2", "-o", options(), raw);
    }
  }

  @Test
  void encrypted_images_are_measured_as_qemu_measures_them() {
    // QEMU measures how fast it is, too, which takes a second or two
    for (String cipher : List.of("", ",encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc")) {
      long size = random.nextLong(1L << random.nextInt(20, 34));
      String options = options() + ",encrypt.format=luks,encrypt.iter-time=10" + cipher;
      String theirs =
          EncryptedQemu.patient(
              "qemu-img",
              "measure",
              "--object",
              "secret,id=sec0,data=x",
              "-O",
              "qcow2",
              "-o",
              options + ",encrypt.key-secret=sec0",
              "--size",
              size);
      assertThat(Cowbell.of("image", "measure", "-O", "qcow2", "-o", options, "--size", size))
          .as("seed %d: %s, %d bytes", seed, options, size)
          .isEqualTo(theirs);
    }
  }

  @Test
  void both_refuse_to_guess_what_is_meant() {
    assertThat(Cowbell.run("image", "measure", "-O", "qcow2").exit()).isEqualTo(2);
    assertThat(Cowbell.run("image", "measure", "--size", "1M", dir.resolve("x")).exit())
        .isEqualTo(2);
    assertThat(Cowbell.run("image", "measure", "-O", "qcow2", "--size", "8P").exit()).isEqualTo(1);
  }

  private String options() {
    String cluster = CLUSTERS[random.nextInt(5)];
    boolean large = !cluster.equals("512") && !cluster.equals("4k");
    boolean old = random.nextInt(5) == 0;
    return "cluster_size=%s,preallocation=%s,%s"
        .formatted(
            cluster,
            PREALLOCATION[random.nextInt(4)],
            old
                ? "compat=0.10"
                : "refcount_bits=%d,extended_l2=%s"
                    .formatted(
                        1 << random.nextInt(7), large && random.nextBoolean() ? "on" : "off"));
  }

  private void assertAlike(Object... arguments) {
    List<Object> theirs = new ArrayList<>(List.of("measure", "--output=json"));
    theirs.addAll(List.of(arguments));
    List<Object> ours = new ArrayList<>(theirs);
    ours.addFirst("image");
    String context = "seed " + seed + ": " + theirs;
    assertThat(QemuImg.json(Cowbell.of(ours.toArray())))
        .as(context)
        .isEqualTo(QemuImg.json(QemuImg.of(theirs.toArray())));
    theirs.remove("--output=json");
    ours.remove("--output=json");
    assertThat(Cowbell.of(ours.toArray())).as(context).isEqualTo(QemuImg.of(theirs.toArray()));
  }
}
