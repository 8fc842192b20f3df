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
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code image create} makes what {@code qemu-img create} makes. */
final class CreateIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 40);
  private static final long MIB = 1 << 20;

  @TempDir private Path dir;

  @Test
  void images_of_every_kind_are_those_that_qemu_makes() throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < ROUNDS; round++) {
      Path folder = Files.createDirectories(dir.resolve("round" + round));
      Path image = folder.resolve("image.qcow2");
      Path data = folder.resolve("image.data");
      NewImageVariant variant = NewImageVariant.random(random, data.toString());
      long size = 512 * random.nextLong(1, 24 * MIB / 512);
      String context = "seed %d round %d: %s, %d bytes".formatted(seed, round, variant, size);

      String theirLine =
          Shell.run("qemu-img", "create", "-f", "qcow2", "-o", variant.options(), image, size)
              .success();
      JsonNode theirs = comparable(image);
      Path other = Files.move(image, folder.resolve("theirs.qcow2"));
      Files.deleteIfExists(data);
      String ourLine =
          Cowbell.of("image", "create", "-f", "qcow2", "-o", variant.options(), image, size);
      String mostlyDefaults = " (compat|preallocation)=\\S+";
      assertThat(ourLine.replaceAll(mostlyDefaults, ""))
          .as(context)
          .isEqualTo(theirLine.replaceAll(mostlyDefaults, ""));
      assertThat(comparable(image)).as(context).isEqualTo(theirs);
      assertThat(QemuImg.run("check", image).exit()).as(context).isZero();
      assertThat(QemuImg.run("compare", other, image).exit()).as(context).isZero();
      if (variant.preallocation().equals("falloc") || variant.preallocation().equals("full")) {
        Path holder = variant.dataFile().isEmpty() ? image : data;
        assertThat(QemuImg.info(holder).path("actual-size").asLong())
            .as(context)
            .isGreaterThanOrEqualTo(size);
      }
      long at = random.nextLong(size / 512) * 512;
      long length = Math.min(size - at, 70_144);
      QemuIo.of(image, "write -q -P 5 %d %d".formatted(at, length));
      QemuIo.of(image, "read -q -P 5 %d %d".formatted(at, length));
      assertThat(QemuImg.run("check", image).exit()).as(context + " written to").isZero();
    }
  }

  private static JsonNode comparable(Path image) {
    ObjectNode info = (ObjectNode) QemuImg.info(image);
    info.remove("actual-size");
    return info;
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "extended_l2=on", "extended_l2=on,preallocation=metadata"})
  void an_image_over_a_backing_file_has_its_size_and_shows_it(String options) {
    Path base = dir.resolve("base.qcow2");
    QemuImg.create(base, "", 5 * MIB + 512);
    QemuIo.of(base, "write -q -P 9 1M 3M");
    Path top = dir.resolve("top.qcow2");
    Cowbell.of(
        "image",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "compat=1.1," + options,
        "-b",
        "base.qcow2",
        "-F",
        "qcow2",
        top);
    assertThat(QemuImg.info(top).path("virtual-size").asLong()).isEqualTo(5 * MIB + 512);
    assertThat(QemuImg.info(top).path("backing-filename").asText()).isEqualTo("base.qcow2");
    QemuImg.checkClean(top);
    QemuImg.assertSame(base, "qcow2", top, "qcow2");
    QemuIo.of(top, "write -q -P 1 2M 1k", "read -q -P 9 1M 1M", "read -q -P 1 2M 1k");
    QemuImg.checkClean(top);
  }

  @Test
  void a_backing_file_that_is_not_looked_at_need_not_exist() {
    Path top = dir.resolve("top.qcow2");
    assertThat(
            Cowbell.run("image", "create", "-f", "qcow2", "-b", "no", "-F", "raw", top, "1M")
                .exit())
        .isNotZero();
    assertThat(Files.exists(top)).isFalse();
    Shell.Result sizeless =
        Cowbell.run("image", "create", "-u", "-f", "qcow2", "-b", "no", "-F", "raw", top);
    assertThat(sizeless.exit()).isEqualTo(2);
    Cowbell.of("image", "create", "-u", "-f", "qcow2", "-b", "no", "-F", "raw", top, "1M");
    assertThat(QemuImg.info(top).path("backing-filename").asText()).isEqualTo("no");
  }

  @ParameterizedTest
  @ValueSource(strings = {"off", "falloc", "full"})
  void raw_images_have_the_size_and_the_space(String preallocation) throws IOException {
    Path raw = dir.resolve("image.raw");
    Cowbell.of("image", "create", "-o", "preallocation=" + preallocation, raw, "3000001");
    assertThat(Files.size(raw)).isEqualTo(3_000_320);
    long actual = QemuImg.info(raw).path("actual-size").asLong();
    assertThat(actual >= 3_000_320).isEqualTo(!preallocation.equals("off"));
  }

  @Test
  void an_image_that_is_in_use_is_not_replaced() throws IOException {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "", MIB);
    byte[] before = Files.readAllBytes(image);
    try (ChannelHostFile _ = ChannelHostFile.open(image, ImageLock.Use.READ)) {
      Shell.Result result = Cowbell.run("image", "create", "-f", "qcow2", image, "2M");
      assertThat(result.exit()).isNotZero();
      assertThat(result.err()).hasLineCount(1).contains("in use");
    }
    assertThat(Files.readAllBytes(image)).isEqualTo(before);
    try (var files = Files.list(dir)) {
      assertThat(files).containsExactly(image);
    }
  }

  @Test
  void a_replaced_image_keeps_its_permissions() throws IOException {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "", MIB);
    Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("rw-rw----"));
    Cowbell.of("image", "create", "-q", "-f", "qcow2", image, "2M");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(image)))
        .isEqualTo("rw-rw----");
    assertThat(QemuImg.info(image).path("virtual-size").asLong()).isEqualTo(2 * MIB);
  }

  @Test
  void metadata_of_a_large_disk_is_preallocated_in_little_memory() {
    Path image = dir.resolve("image.qcow2");
    Cowbell.of(
        "image", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", image, "200G");
    QemuImg.checkClean(image);
    assertThat(QemuImg.info(image).path("actual-size").asLong()).isLessThan(64 * MIB);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "data_file_raw=on",
        "compat=0.10,extended_l2=on",
        "compat=0.10,data_file=x",
        "compat=0.10,refcount_bits=8",
        "cluster_size=512,extended_l2=on",
        "cluster_size=3k",
        "cluster_size=4M",
        "refcount_bits=3",
        "preallocation=some",
        "compression_type=lz4",
        "colour=blue"
      })
  void what_qemu_refuses_is_refused_in_one_line(String options) {
    Path image = dir.resolve("image.qcow2");
    assertThat(QemuImg.run("create", "-f", "qcow2", "-o", options, image, "1M").exit()).isNotZero();
    Shell.Result ours = Cowbell.run("image", "create", "-f", "qcow2", "-o", options, image, "1M");
    assertThat(ours.exit()).as(ours.toString()).isEqualTo(2);
    assertThat(ours.err()).hasLineCount(1).startsWith("cowbell image create: -o");
    assertThat(Files.exists(image)).isFalse();
  }
}
