package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
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
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The image commands say and do what qemu-img says and does. */
final class ImageCommandsIT {
  private static final long SIZE = (16 << 20) + 5 * 512;

  @TempDir private Path dir;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final SplittableRandom random = new SplittableRandom(seed);

  @ParameterizedTest
  @ValueSource(
      strings = {"", "compat=0.10", "extended_l2=on,compression_type=zstd", "cluster_size=4k"})
  void info_tells_what_qemu_tells(String options) {
    Path base = image("base.qcow2", "", 4);
    Path top = dir.resolve("top.qcow2");
    QemuImg.createOver(top, options, base.toString(), "qcow2", SIZE);
    QemuImg.of("snapshot", "-c", "first", top);
    if (!options.contains("0.10")) {
      QemuImg.of("bitmap", "--add", "-g", "32k", top, "tracked");
      QemuImg.of("bitmap", "--add", "--disable", top, "idle");
    }
    assertThat(withoutActualSize(QemuImg.json(Cowbell.of("image", "info", "--json", top))))
        .isEqualTo(withoutActualSize(QemuImg.info(top)));
    assertThat(
            withoutActualSize(
                QemuImg.json(Cowbell.of("image", "info", "--output=json", "--backing-chain", top))))
        .isEqualTo(withoutActualSize(QemuImg.info("--backing-chain", top)));
    assertThat(Cowbell.of("image", "info", top).replaceAll("disk size: .*", ""))
        .isEqualTo(QemuImg.of("info", top).replaceAll("disk size: .*", ""));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "compat=0.10", "extended_l2=on", "cluster_size=512", "cluster_size=2M"})
  void map_tells_what_qemu_tells(String options) {
    Path base = image("base.qcow2", "", 6);
    Path top = dir.resolve("top.qcow2");
    QemuImg.createOver(top, options, base.toString(), "qcow2", SIZE + (1 << 20));
    write(top, 10);
    assertThat(QemuImg.json(Cowbell.of("image", "map", "--json", top)))
        .as("seed " + seed)
        .isEqualTo(QemuImg.map(top));
    assertThat(Cowbell.of("image", "map", top))
        .as("seed " + seed)
        .isEqualTo(QemuImg.of("map", top));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "|",
        "cluster_size=2M|-o cluster_size=512",
        "cluster_size=512|-o cluster_size=2M,refcount_bits=64",
        "|-o compat=0.10",
        "extended_l2=on|-o extended_l2=on,cluster_size=16k,lazy_refcounts=on",
        "compression_type=zstd|-c",
        "|-c -o compression_type=zstd -m 1",
        "cluster_size=4k|-c -o cluster_size=512,refcount_bits=1",
        "|-c -W -m 16 -o cluster_size=4k,refcount_bits=2,compression_type=zstd",
        "cluster_size=64k|-c -o cluster_size=2M,extended_l2=on",
        "|-S 0"
      })
  void convert_makes_images_that_qemu_reads_the_same(String from, String to) throws IOException {
    Path source = image("source.qcow2", from == null ? "" : from, 14);
    compressSome(source);
    Path target = dir.resolve("target.qcow2");
    List<Object> command = new ArrayList<>(List.of("image", "convert", "-O", "qcow2"));
    if (to != null) {
      command.addAll(List.of(to.split(" ")));
    }
    command.add(source);
    command.add(target);
    String context = "seed " + seed + ": " + command;

    Cowbell.of(command.toArray());
    Shell.Result check = QemuImg.run("check", "-f", "qcow2", target);
    assertThat(check.exit()).as("%s%n%s", context, check).isZero();
    Shell.Result same = QemuImg.run("compare", "-f", "qcow2", "-F", "qcow2", source, target);
    assertThat(same.exit()).as("%s%n%s", context, same).isZero();
    assertThat(Cowbell.of("image", "check", target))
        .as(context)
        .isEqualTo(QemuImg.of("check", target));
    assertThat(Cowbell.of("image", "compare", source, target)).contains("identical");

    Path raw = dir.resolve("target.raw");
    Cowbell.of("image", "convert", "-f", "qcow2", target, raw);
    QemuImg.assertSame(raw, "raw", source, "qcow2");
    assertThat(leftovers()).isEmpty();
  }

  @Test
  void convert_leaves_holes_for_zeroes_in_raw_files() throws IOException {
    Path source = dir.resolve("source.qcow2");
    QemuImg.create(source, "", 1L << 30);
    QemuIo.of(source, "write -q -P 1 512M 64k", "write -q -P 0 700M 8M");
    Path raw = dir.resolve("target.raw");
    Cowbell.of("image", "convert", source, raw);
    assertThat(Files.size(raw)).isEqualTo(1L << 30);
    assertThat(QemuImg.info(raw).path("actual-size").asLong()).isLessThan(1 << 20);
    QemuImg.assertSame(raw, "raw", source, "qcow2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "extended_l2=on", "cluster_size=4k"})
  void convert_over_a_backing_file_stores_only_what_differs(String options) {
    Path base = image("base.qcow2", "", 10);
    Path source = dir.resolve("source.qcow2");
    QemuImg.createOver(source, "", base.toString(), "qcow2", SIZE + (2 << 20));
    write(source, 4);
    Path target = dir.resolve("target.qcow2");
    Cowbell.of(
        "image",
        "convert",
        "-O",
        "qcow2",
        "-o",
        "compat=1.1," + options,
        "-B",
        "base.qcow2",
        "-F",
        "qcow2",
        source,
        target);
    QemuImg.checkClean(target);
    QemuImg.assertSame(source, "qcow2", target, "qcow2");
    assertThat(QemuImg.info(target).path("backing-filename").asText()).isEqualTo("base.qcow2");
  }

  @Test
  void convert_copies_an_internal_snapshot_at_its_own_size() {
    Path source = image("source.qcow2", "", 8);
    Path then = dir.resolve("then.raw");
    QemuImg.of("convert", "-O", "raw", source, then);
    QemuImg.of("snapshot", "-c", "before", source);
    write(source, 8);
    Path target = dir.resolve("target.qcow2");
    Cowbell.of("image", "convert", "-O", "qcow2", "-l", "before", source, target);
    QemuImg.checkClean(target);
    QemuImg.assertSame(then, "raw", target, "qcow2");
  }

  @Test
  void convert_writes_zeroes_into_an_existing_raw_file() throws IOException {
    Path source = image("source.qcow2", "", 4);
    Path raw = dir.resolve("target.raw");
    try (RandomAccessFile file = new RandomAccessFile(raw.toFile(), "rw")) {
      byte[] old = new byte[1 << 20];
      java.util.Arrays.fill(old, (byte) 7);
      for (long at = 0; at < SIZE + (1 << 20); at += old.length) {
        file.write(old);
      }
      file.setLength(SIZE);
    }
    Cowbell.of("image", "convert", "-n", "-O", "raw", source, raw);
    QemuImg.assertSame(source, "qcow2", raw, "raw");
  }

  @Test
  void compare_finds_the_first_sector_that_differs() {
    Path one = image("one.qcow2", "", 6);
    Path other = dir.resolve("other.qcow2");
    QemuImg.of("convert", "-O", "qcow2", "-o", "cluster_size=4k", one, other);
    assertThat(Cowbell.run("image", "compare", one, other).exit()).isZero();
    QemuIo.of(other, "write -q -P 222 9000448 1024");
    Shell.Result ours = Cowbell.run("image", "compare", one, other);
    Shell.Result theirs = QemuImg.run("compare", one, other);
    assertThat(ours.exit()).isEqualTo(theirs.exit()).isEqualTo(1);
    assertThat(ours.out()).isEqualTo(theirs.out());
    assertThat(Cowbell.run("image", "compare", one, dir.resolve("none")).exit()).isEqualTo(2);
  }

  @Test
  void compare_takes_the_shorter_disk_for_continued_by_zeroes() {
    Path one = dir.resolve("one.qcow2");
    Path other = dir.resolve("other.qcow2");
    QemuImg.create(one, "", 1 << 20);
    QemuImg.create(other, "", 3 << 20);
    Shell.Result ours = Cowbell.run("image", "compare", one, other);
    assertThat(ours.exit()).isZero();
    assertThat(ours.out()).isEqualTo(QemuImg.of("compare", one, other));
    QemuIo.of(other, "write -q -P 1 2M 512");
    assertThat(Cowbell.run("image", "compare", one, other).out())
        .isEqualTo(QemuImg.run("compare", one, other).out());
  }

  @Test
  void bitmap_changes_what_qemu_then_sees() {
    Path image = image("image.qcow2", "", 3);
    Cowbell.of("image", "bitmap", "--add", "-g", "32k", image, "one");
    QemuIo.of(image, "write -q -P 1 1M 100k", "discard -q 3M 64k");
    assertThat(dirty(image, "one"))
        .isEqualTo("[{\"start\":1048576,\"length\":131072},{\"start\":3145728,\"length\":65536}]");
    Cowbell.of("image", "bitmap", "--add", "--merge", "one", "--disable", image, "two");
    assertThat(dirty(image, "two")).isEqualTo(dirty(image, "one"));
    Cowbell.of("image", "bitmap", "--clear", image, "one");
    assertThat(dirty(image, "one")).isEqualTo("[]");
    JsonNode bitmaps = QemuImg.info(image).at("/format-specific/data/bitmaps");
    assertThat(bitmaps).hasSize(2);
    assertThat(bitmaps.get(1).path("flags")).isEmpty();
    Cowbell.of("image", "bitmap", "--remove", image, "one");
    Cowbell.of("image", "bitmap", "--remove", image, "two");
    QemuImg.checkClean(image);
    assertThat(QemuImg.info(image).at("/format-specific/data/bitmaps").isMissingNode()).isTrue();
  }

  @Test
  void dirty_of_a_bitmap_that_is_not_there_is_not_found() {
    Path image = image("image.qcow2", "", 1);
    Shell.Result result = Cowbell.run("image", "dirty", image, "none");
    assertThat(result.exit()).isEqualTo(6);
    assertThat(result.err()).hasLineCount(1).contains("none");
  }

  private static String dirty(Path image, String name) {
    return Cowbell.of("image", "dirty", "--json", image, name).replaceAll("\\s", "");
  }

  private Path image(String name, String options, int writes) {
    Path image = dir.resolve(name);
    QemuImg.create(image, options, SIZE);
    write(image, writes);
    return image;
  }

  private void write(Path image, int times) {
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      long at = random.nextLong(SIZE - 400_000) & -512;
      long length = 512L * (1 + random.nextInt(600));
      commands.add(
          switch (random.nextInt(6)) {
            case 0 -> "write -q -z %d %d".formatted(at, length);
            case 1 -> "discard -q %d %d".formatted(at, length);
            case 2 -> "write -q -P 0 %d %d".formatted(at, length);
            default -> "write -q -P %d %d %d".formatted(1 + random.nextInt(255), at, length);
          });
    }
    QemuIo.of(image, commands);
  }

  /** QEMU compresses only into clusters that nothing is allocated for. */
  private static void compressSome(Path image) {
    int cluster = QemuImg.info(image).path("cluster-size").asInt();
    for (JsonNode run : QemuImg.map(image)) {
      long at = (run.path("start").asLong() + cluster - 1) & -cluster;
      if (!run.path("present").asBoolean()
          && at + cluster <= run.path("start").asLong() + run.path("length").asLong()) {
        QemuIo.of(image, "write -q -c -P 77 %d %d".formatted(at, cluster));
      }
    }
  }

  private List<Path> leftovers() throws IOException {
    try (var files = Files.list(dir)) {
      return files.filter(file -> file.toString().endsWith(".pending")).toList();
    }
  }

  private static JsonNode withoutActualSize(JsonNode info) {
    for (JsonNode layer : info.isArray() ? info : List.of(info)) {
      ((ObjectNode) layer).remove("actual-size");
    }
    return info;
  }
}
