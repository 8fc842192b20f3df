package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code image convert} with every option leaves images that QEMU takes for its own. */
final class ConvertIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 30);
  private static final long SIZE = (9 << 20) + 3 * 512;

  @TempDir private Path dir;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final SplittableRandom random = new SplittableRandom(seed);

  @Test
  void images_of_every_kind_become_images_of_every_kind() throws IOException {
    for (int round = 0; round < ROUNDS; round++) {
      Path folder = Files.createDirectories(dir.resolve("round" + round));
      Path source = folder.resolve("source.qcow2");
      Path target = folder.resolve("target.qcow2");
      NewImageVariant from =
          NewImageVariant.random(random, folder.resolve("source.data").toString());
      NewImageVariant to = NewImageVariant.random(random, folder.resolve("target.data").toString());
      QemuImg.create(source, from.options(), SIZE);
      write(source, 8);
      List<Object> command =
          new ArrayList<>(List.of("image", "convert", "-O", "qcow2", "-o", to.options()));
      if (to.dataFile().isEmpty() && random.nextBoolean()) {
        command.add("-c");
        if (random.nextBoolean()) {
          command.add("--level=" + random.nextInt(1, 10));
        }
      }
      if (random.nextBoolean()) {
        command.addAll(List.of("-W", "-m", random.nextInt(1, 17)));
      }
      if (random.nextInt(4) == 0) {
        command.addAll(List.of("-S", random.nextBoolean() ? "0" : "64k"));
      }
      if (random.nextBoolean()) {
        command.addAll(List.of("-t", cacheMode(), "-T", cacheMode()));
      }
      command.addAll(List.of(source, target));
      String context = "seed %d round %d: %s, from %s".formatted(seed, round, command, from);

      Shell.Result done = Cowbell.run(command.toArray());
      assertThat(done.exit()).as("%s%n%s", context, done).isZero();
      Shell.Result check = QemuImg.run("check", target);
      assertThat(check.exit()).as("%s%n%s", context, check).isZero();
      assertThat(QemuImg.run("compare", source, target).exit()).as(context).isZero();
      assertThat(Cowbell.run("image", "compare", source, target).exit()).as(context).isZero();
      assertThat(described(target)).as(context).isEqualTo(describedByQemu(to, folder));
      if (to.options().contains("data_file_raw=on")) {
        assertThat(QemuImg.run("compare", "-f", "raw", "-F", "qcow2", to.dataFile(), source).exit())
            .as(context)
            .isZero();
      }
      QemuIo.of(target, "write -q -P 77 1234432 300k", "write -q -z 5M 1M");
      assertThat(QemuImg.run("check", target).exit()).as(context + ", written to").isZero();
    }
  }

  private String cacheMode() {
    return List.of("writeback", "writethrough", "none", "directsync", "unsafe")
        .get(random.nextInt(5));
  }

  private static JsonNode described(Path image) {
    ObjectNode info = (ObjectNode) QemuImg.info(image);
    info.remove(List.of("actual-size", "filename"));
    return info;
  }

  private static JsonNode describedByQemu(NewImageVariant variant, Path folder) throws IOException {
    Path image = folder.resolve("like.qcow2");
    if (variant.dataFile().isEmpty()) {
      QemuImg.create(image, variant.options(), SIZE);
      return described(image);
    }
    Path data = Path.of(variant.dataFile());
    Path kept = Files.move(data, folder.resolve("kept"));
    QemuImg.create(image, variant.options(), SIZE);
    JsonNode description = described(image);
    Files.delete(data);
    Files.move(kept, data);
    return description;
  }

  @Test
  void bitmaps_are_copied_with_their_bits() {
    Path source = image("source.qcow2");
    QemuImg.of("bitmap", "--add", "-g", "32k", source, "one");
    QemuImg.of("bitmap", "--add", "-g", "4k", source, "all");
    QemuIo.of(source, "write -q -P 1 1M 100k", "write -q -P 2 7M 512");
    QemuIo.of(source, "write -q -P 3 0 " + SIZE);
    QemuImg.of("bitmap", "--clear", source, "one");
    QemuIo.of(source, "write -q -P 1 1M 100k", "write -q -P 2 7M 512");
    QemuImg.of("bitmap", "--add", "--disable", source, "idle");
    Path ours = dir.resolve("ours.qcow2");
    Path theirs = dir.resolve("theirs.qcow2");
    for (String cluster : List.of("512", "64k")) {
      String option = "cluster_size=" + cluster;
      Cowbell.of("image", "convert", "-O", "qcow2", "--bitmaps", "-o", option, source, ours);
      QemuImg.of("convert", "-O", "qcow2", "--bitmaps", "-o", option, source, theirs);
      QemuImg.checkClean(ours);
      QemuImg.assertSame(source, "qcow2", ours, "qcow2");
      assertThat(described(ours)).isEqualTo(described(theirs));
      for (String name : List.of("one", "all", "idle")) {
        assertThat(Cowbell.of("image", "dirty", "--json", ours, name))
            .isEqualTo(Cowbell.of("image", "dirty", "--json", source, name))
            .isEqualTo(Cowbell.of("image", "dirty", "--json", theirs, name));
      }
    }
  }

  @Test
  void what_can_not_be_read_is_salvaged_around() throws IOException {
    Path source = image("source.qcow2");
    QemuIo.of(source, "write -q -P 5 0 4M");
    Path expected = dir.resolve("expected.raw");
    QemuImg.of("convert", "-O", "raw", source, expected);
    long l2Entry = firstL2Table(source) + 8 * 16;
    try (RandomAccessFile file = new RandomAccessFile(source.toFile(), "rw")) {
      file.seek(l2Entry);
      file.writeLong(0x8000_0000_0005_0200L); // not aligned to a cluster: can't be read
    }
    Path target = dir.resolve("target.raw");
    assertThat(Cowbell.run("image", "convert", source, target).exit()).isEqualTo(1);
    assertThat(Files.exists(target)).isFalse();
    Shell.Result result = Cowbell.run("image", "convert", "--salvage", source, target);
    assertThat(result.exit()).as(result.toString()).isEqualTo(3);
    assertThat(result.err()).contains("65536 bytes at 1048576 are lost");
    QemuIo.run(List.of("-f", "raw"), expected, List.of("write -q -z 1M 64k")).success();
    QemuImg.assertSame(expected, "raw", target, "raw");
  }

  private static long firstL2Table(Path image) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "r")) {
      file.seek(40);
      file.seek(file.readLong());
      return file.readLong() & 0x00ff_ffff_ffff_fe00L;
    }
  }

  @Test
  void a_target_that_is_said_to_be_zero_gets_no_zeroes() throws IOException {
    Path source = dir.resolve("source.qcow2");
    QemuImg.create(source, "", SIZE);
    QemuIo.of(source, "write -q -P 5 1M 64k");
    Path raw = dir.resolve("target.raw");
    try (RandomAccessFile file = new RandomAccessFile(raw.toFile(), "rw")) {
      file.setLength(SIZE);
      file.write(7); // so that it shows what is left alone
    }
    Cowbell.of("image", "convert", "-n", "--target-is-zero", "-O", "raw", source, raw);
    QemuIo.run(List.of("-f", "raw"), raw, List.of("read -q -P 7 0 1", "read -q -P 5 1M 64k"))
        .success();
    Cowbell.of("image", "convert", "-n", "-O", "raw", source, raw);
    QemuImg.assertSame(source, "qcow2", raw, "raw");
  }

  @ParameterizedTest
  @ValueSource(strings = {"raw", "qcow2"})
  void a_target_that_is_in_use_is_left_alone(String format) throws IOException {
    Path source = image("source.qcow2");
    Path target = image("target.qcow2");
    byte[] before = Files.readAllBytes(target);
    try (ChannelHostFile _ = ChannelHostFile.open(target, ImageLock.Use.WRITE)) {
      Shell.Result result = Cowbell.run("image", "convert", "-O", format, source, target);
      assertThat(result.exit()).isNotZero();
      assertThat(result.err()).contains("in use");
    }
    assertThat(Files.readAllBytes(target)).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(strings = {"compat=0.10", "cluster_size=512", "extended_l2=on", "cluster_size=2M"})
  void an_existing_image_is_written_over(String options) {
    Path source = image("source.qcow2");
    Path target = dir.resolve("target.qcow2");
    QemuImg.create(target, options, SIZE + (2 << 20));
    QemuIo.of(target, "write -q -P 99 0 11M");
    Cowbell.of("image", "convert", "-n", "-O", "qcow2", source, target);
    QemuImg.checkClean(target);
    QemuIo.of(target, "read -q -P 99 %d 1M".formatted(SIZE));
    QemuImg.of("resize", "--shrink", target, SIZE);
    QemuImg.assertSame(source, "qcow2", target, "qcow2");
  }

  @Test
  void a_rate_is_kept() {
    Path source = image("source.qcow2");
    Path target = dir.resolve("target.raw");
    long start = System.nanoTime();
    Cowbell.of("image", "convert", "-r", "6M", source, target);
    assertThat((System.nanoTime() - start) / 1_000_000).isGreaterThan(1000);
    QemuImg.assertSame(source, "qcow2", target, "raw");
  }

  @Test
  void raw_targets_are_preallocated() {
    Path source = image("source.qcow2");
    Path target = dir.resolve("target.raw");
    Cowbell.of("image", "convert", "-O", "raw", "-o", "preallocation=falloc", source, target);
    assertThat(QemuImg.info(target).path("actual-size").asLong()).isGreaterThanOrEqualTo(SIZE);
    QemuImg.assertSame(source, "qcow2", target, "raw");
  }

  private Path image(String name) {
    Path image = dir.resolve(name);
    QemuImg.create(image, "", SIZE);
    write(image, 6);
    return image;
  }

  private void write(Path image, int times) {
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      long at = random.nextLong(SIZE - 400_000) & -512;
      long length = 512L * (1 + random.nextInt(600));
      commands.add(
          switch (random.nextInt(4)) {
            case 0 -> "write -q -z %d %d".formatted(at, length);
            case 1 -> "write -q -P 0 %d %d".formatted(at, length);
            default -> "write -q -P %d %d %d".formatted(1 + random.nextInt(255), at, length);
          });
    }
    QemuIo.of(image, commands);
  }
}
