package dev.cowbell.it.layers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.it.reading.RandomGuest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/**
 * A chain of three images of random kinds and sizes, twice: what we do to one, QEMU does to the
 * other. The names are base, mid and top, and each refers to the next without a path.
 */
final class RandomChain {
  private static final int KIB = 1024;

  private final Path ours;
  private final Path qemus;
  private final String baseFormat;
  private final StringBuilder story = new StringBuilder();

  private RandomChain(Path folder, String baseFormat) {
    this.ours = folder.resolve("ours");
    this.qemus = folder.resolve("qemus");
    this.baseFormat = baseFormat;
  }

  static RandomChain make(Path folder, Random random) throws IOException {
    String format = random.nextInt(4) == 0 ? "raw" : "qcow2";
    RandomChain chain = new RandomChain(folder, format);
    Files.createDirectory(chain.ours);
    Files.createDirectory(chain.qemus);
    long size = size(random);
    Path base = chain.ours.resolve("base");
    if (format.equals("raw")) {
      QemuImg.of("create", "-q", "-f", "raw", base, size);
      chain.story.append(" base raw ").append(size);
    } else {
      QemuImg.create(base, chain.options(random, "base"), size);
      chain.story.append(' ').append(size);
    }
    chain.fill(base, format, random, size, clusterSize(base, format));
    chain.layer("mid", "base", format, random);
    chain.layer("top", "mid", "qcow2", random);
    for (String name : List.of("base", "mid", "top")) {
      Files.copy(chain.ours(name), chain.qemus(name));
    }
    return chain;
  }

  private void layer(String name, String below, String format, Random random) {
    long size = size(random);
    QemuImg.createOver(ours(name), options(random, name), below, format, size);
    story.append(' ').append(size);
    fill(ours(name), "qcow2", random, size, clusterSize(ours(name), "qcow2"));
  }

  private static int clusterSize(Path image, String format) {
    return format.equals("raw") ? 0 : QemuImg.info(image).get("cluster-size").asInt();
  }

  private void fill(Path image, String format, Random random, long size, int clusterSize) {
    if (format.equals("raw")) {
      for (int i = 0; i < 6; i++) {
        long at = random.nextLong(size / 512) * 512;
        long length = Math.min(size - at, (1 + random.nextInt(400)) * 512L);
        String write = "write -P %d %d %d".formatted(1 + random.nextInt(255), at, length);
        QemuIo.run(List.of("-f", "raw"), image, List.of(write)).success();
      }
      return;
    }
    new RandomGuest(random, clusterSize, random.nextBoolean()).act(image, 6, size);
  }

  private String options(Random random, String name) {
    int[] sizes = {512, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 2048 * KIB};
    int clusterSize = sizes[random.nextInt(sizes.length)];
    String options = "cluster_size=" + clusterSize;
    if (random.nextInt(4) == 0) {
      options += ",compat=0.10";
    } else {
      options += ",refcount_bits=" + (8 << random.nextInt(4));
      if (clusterSize >= 16 * KIB && random.nextInt(3) == 0) {
        options += ",extended_l2=on";
      }
    }
    story.append(' ').append(name).append(' ').append(options);
    return options;
  }

  private static long size(Random random) {
    return (1000 + random.nextInt(5000)) * 512L;
  }

  String baseFormat() {
    return baseFormat;
  }

  String format(String name) {
    return name.equals("base") ? baseFormat : "qcow2";
  }

  Path ours(String name) {
    return ours.resolve(name);
  }

  Path qemus(String name) {
    return qemus.resolve(name);
  }

  /**
   * Whether mid has to grow to hold top, and the base goes on behind mid's old end: those bytes
   * must then read as zeroes. Version 2 has no zero clusters, so that QEMU refuses to grow such an
   * image.
   */
  boolean showsBaseWhereVersion2Grows() {
    JsonNode mid = QemuImg.info(ours("mid"));
    long old = mid.get("virtual-size").asLong();
    return mid.at("/format-specific/data/compat").asText().equals("0.10")
        && old < sizeOf("top")
        && old < sizeOf("base");
  }

  private long sizeOf(String name) {
    return QemuImg.info(ours(name)).get("virtual-size").asLong();
  }

  /** What the top image shows, as a raw file beside it. */
  Path content(String name) {
    Path raw = ours.resolve(name + ".raw");
    QemuImg.of("convert", "-f", format(name), "-O", "raw", ours(name), raw);
    return raw;
  }

  /** Fails unless an image of ours shows the same as QEMU's, is as long, and is sound. */
  void assertSame(String name) {
    Shell.Result same =
        QemuImg.run("compare", "-f", format(name), "-F", format(name), ours(name), qemus(name));
    assertThat(same.exit()).as("%s: %s %s", this, name, same).isZero();
    assertThat(QemuImg.info(ours(name)).get("virtual-size"))
        .as("%s: size of %s", this, name)
        .isEqualTo(QemuImg.info(qemus(name)).get("virtual-size"));
    assertSound(name);
  }

  void assertSound(String name) {
    if (format(name).equals("qcow2")) {
      Shell.Result check = QemuImg.run("check", "-f", "qcow2", ours(name));
      assertThat(check.exit()).as("%s: %s %s", this, name, check).isZero();
    }
  }

  @Override
  public String toString() {
    return "chain" + story;
  }
}
