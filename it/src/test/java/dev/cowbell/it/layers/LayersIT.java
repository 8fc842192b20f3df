package dev.cowbell.it.layers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commit and rebase: chains of random images, beside twins that qemu-img does the same to. */
final class LayersIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 6);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());

  @TempDir private Path dir;

  /** One of a series of tries. */
  @FunctionalInterface
  private interface Try {
    void run(RandomChain chain, Random random) throws IOException;
  }

  private void repeat(Try each) throws IOException {
    for (int round = 0; round < ROUNDS; round++) {
      Random random = new Random(SEED + round);
      Path folder = Files.createTempDirectory(dir, "round");
      RandomChain chain = RandomChain.make(folder, random);
      try {
        each.run(chain, random);
      } catch (AssertionError e) {
        throw new AssertionError("seed " + (SEED + round) + ", " + chain, e);
      }
      try (var files = Files.walk(folder)) {
        files.filter(Files::isRegularFile).forEach(file -> file.toFile().delete());
      }
    }
  }

  @Test
  void commits_into_the_backing_file_as_qemu_does() throws IOException {
    repeat((chain, random) -> {
      Path before = chain.content("top");
      boolean keep = random.nextBoolean();
      boolean mayRefuse = chain.showsBaseWhereVersion2Grows();
      Shell.Result qemus;
      if (keep) {
        Cowbell.of("image", "commit", "-d", chain.ours("top"));
        qemus = QemuImg.run("commit", "-q", "-d", chain.qemus("top"));
      } else {
        Cowbell.of("image", "commit", chain.ours("top"));
        qemus = QemuImg.run("commit", "-q", chain.qemus("top"));
      }
      if (qemus.exit() == 0 || !mayRefuse) {
        qemus.success();
        chain.assertSame("top");
        chain.assertSame("mid");
      } else {
        assertThat(qemus.err()).contains("Operation not supported");
        chain.assertSound("top");
        chain.assertSound("mid");
        QemuImg.assertSame(chain.ours("mid"), "qcow2", before, "raw");
      }
      chain.assertSame("base");
      QemuImg.assertSame(chain.ours("top"), "qcow2", before, "raw");
      if (!keep) {
        for (JsonNode run : QemuImg.map("-f", "qcow2", chain.ours("top"))) {
          assertThat(run.get("present").asBoolean() && run.get("depth").asInt() == 0)
              .as(run.toString())
              .isFalse();
        }
      }
    });
  }

  @Test
  void commits_through_the_chain_as_qemu_does() throws IOException {
    repeat((chain, random) -> {
      Path before = chain.content("top");
      Object base = random.nextBoolean() ? chain.ours("base") : "base";
      Cowbell.of("image", "commit", "-b", base, chain.ours("top"));
      QemuImg.of("commit", "-q", "-b", chain.qemus("base"), chain.qemus("top"));
      chain.assertSame("top");
      chain.assertSame("base");
      QemuImg.assertSame(chain.ours("top"), "qcow2", before, "raw");
    });
  }

  @Test
  void rebases_to_a_lower_layer_as_qemu_does() throws IOException {
    repeat((chain, random) -> {
      Path before = chain.content("top");
      String format = chain.baseFormat();
      Cowbell.of("image", "rebase", "-b", "base", "-F", format, chain.ours("top"));
      QemuImg.of("rebase", "-b", "base", "-F", format, "-f", "qcow2", chain.qemus("top"));
      chain.assertSame("top");
      assertRefersTo(chain, "base", format);
      QemuImg.assertSame(chain.ours("top"), "qcow2", before, "raw");
      Cowbell.of("image", "rebase", "-b", "mid", "-F", "qcow2", chain.ours("top"));
      chain.assertSound("top");
      assertRefersTo(chain, "mid", "qcow2");
      QemuImg.assertSame(chain.ours("top"), "qcow2", before, "raw");
    });
  }

  @Test
  void rebases_to_another_image_and_to_none() throws IOException {
    repeat((chain, random) -> {
      Path before = chain.content("top");
      Path other = chain.ours("other");
      QemuImg.create(other, "", (500 + random.nextInt(6000)) * 512L);
      QemuIo.of(other, "write -P 7 0 200k");
      Cowbell.of("image", "rebase", "-b", "other", "-F", "qcow2", chain.ours("top"));
      chain.assertSound("top");
      QemuImg.assertSame(chain.ours("top"), "qcow2", before, "raw");
      Cowbell.of("image", "rebase", "-b", "", chain.ours("top"));
      chain.assertSound("top");
      assertThat(QemuImg.info(chain.ours("top")).has("backing-filename")).isFalse();
      QemuImg.assertSame(chain.ours("top"), "qcow2", before, "raw");
    });
  }

  private static void assertRefersTo(RandomChain chain, String name, String format) {
    JsonNode info = QemuImg.info(chain.ours("top"));
    assertThat(info.get("backing-filename").asText()).isEqualTo(name);
    assertThat(info.get("backing-filename-format").asText()).isEqualTo(format);
  }

  @Test
  void changes_the_name_alone_where_that_is_asked_for() throws IOException {
    Path image = dir.resolve("image.qcow2");
    Path base = dir.resolve("base.qcow2");
    QemuImg.create(base, "", 1 << 20);
    QemuIo.of(base, "write -P 5 0 1M");
    QemuImg.createOver(image, "", "base.qcow2", "qcow2", 1 << 20);
    for (int length : new int[] {20, 200, 900, 255, 254, 255, 253}) {
      String name = "a/".repeat(length / 2) + "b";
      Cowbell.of("image", "rebase", "-u", "-b", name, "-F", "raw", image);
      JsonNode info = QemuImg.info("-U", image);
      assertThat(info.get("backing-filename").asText()).isEqualTo(name);
      assertThat(info.get("backing-filename-format").asText()).isEqualTo("raw");
    }
    Shell.Result tooLong =
        Cowbell.run("image", "rebase", "-u", "-b", "x".repeat(1024), "-F", "raw", image);
    assertThat(tooLong.exit()).isEqualTo(1);
    assertThat(tooLong.err()).contains("1024 bytes").contains("1023");
    Cowbell.of("image", "rebase", "-u", "-b", "base.qcow2", "-F", "qcow2", image);
    QemuImg.checkClean(image);
    QemuImg.assertSame(image, "qcow2", base, "qcow2");
    Cowbell.of("image", "rebase", "-u", image);
    assertThat(QemuImg.info(image).has("backing-filename")).isFalse();
    QemuImg.checkClean(image);
  }

  @Test
  void refuses_a_name_that_small_clusters_have_no_room_for() throws IOException {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "cluster_size=512", 1 << 20);
    byte[] before = Files.readAllBytes(image);
    Shell.Result refused =
        Cowbell.run("image", "rebase", "-u", "-b", "x".repeat(400), "-F", "raw", image);
    assertThat(refused.exit()).as(refused.toString()).isEqualTo(1);
    assertThat(refused.err()).contains("no room for the backing file's name").contains("512");
    assertThat(Arrays.equals(Files.readAllBytes(image), before)).isTrue();
  }

  @Test
  void refuses_what_makes_no_chain() {
    Path image = dir.resolve("image.qcow2");
    Path alone = dir.resolve("alone.qcow2");
    Path above = dir.resolve("above.qcow2");
    QemuImg.create(alone, "", 1 << 20);
    QemuImg.createOver(image, "", "alone.qcow2", "qcow2", 1 << 20);
    QemuImg.createOver(above, "", "image.qcow2", "qcow2", 1 << 20);
    assertRefused("has no backing file", "commit", alone);
    assertRefused("not in its backing chain", "commit", "-b", above, image);
    assertRefused("comes back to the image", "rebase", "-b", "image.qcow2", "-F", "qcow2", image);
    assertRefused("comes back to the image", "rebase", "-b", "above.qcow2", "-F", "qcow2", image);
    assertRefused("no file", "rebase", "-b", "missing.qcow2", "-F", "qcow2", image);
    assertRefused("format has to be said", "rebase", "-b", "alone.qcow2", image);
    QemuImg.checkClean(image);
  }

  private static void assertRefused(String why, Object... arguments) {
    List<Object> words = new ArrayList<>(List.of("image"));
    words.addAll(List.of(arguments));
    Shell.Result result = Cowbell.run(words.toArray());
    assertThat(result.exit()).as(result.toString()).isIn(1, 2);
    assertThat(result.err()).contains(why);
  }
}
