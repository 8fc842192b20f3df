package dev.cowbell.it.io;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.io.HostIo;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code image bench} says what qemu-img says, does what it claims, and leaves images whole. */
final class BenchIT {
  private static final long SIZE = 32 << 20;

  @TempDir private Path dir;
  private Path image;

  @BeforeEach
  void make() {
    image = dir.resolve("disk.qcow2");
    QemuImg.create(image, "", SIZE);
    QemuIo.of(image, "write -P 1 0 16M");
  }

  @Test
  void announces_requests_in_the_words_of_qemu_img() {
    Object[][] each = {
      {"-c", 100}, {"-c", 50, "-d", 1, "-s", "64k", "-S", "12k", "-o", "1M"}, {"-c", 0}
    };
    for (Object[] options : each) {
      String theirs =
          QemuImg.of(with(new Object[] {"bench", "-f", "qcow2", image}, options))
              .lines()
              .findFirst()
              .orElseThrow();
      String ours = Cowbell.of(with(new Object[] {"image", "bench", image}, options));
      assertThat(ours.lines().findFirst()).contains(theirs);
      assertThat(ours).containsPattern("(?m)^Run completed in [0-9.]+ seconds\\.$");
    }
    assertThat(Cowbell.of("image", "bench", "-q", "-c", 10, image)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "writeback,threads",
    "none,threads",
    "none,native",
    "directsync,threads",
    "unsafe,threads",
    "writethrough,threads",
    "writeback,auto",
    "writeback,io_uring",
    "none,io_uring"
  })
  void reads_and_writes_in_every_way(String cache, String aio) {
    if (aio.equals("io_uring") && !HostIo.allowsIoUring()) {
      Shell.Result refused = Cowbell.run("image", "bench", "-i", aio, "-t", cache, image);
      assertThat(refused.exit()).isEqualTo(1);
      assertThat(refused.err()).contains("io_uring", "errno");
      return;
    }
    Object[] common = {"image", "bench", "-t", cache, "-i", aio, "--json"};
    JsonNode read = QemuImg.json(Cowbell.of(with(common, "-c", 2000, "-d", 8, "-r", 5, image)));
    assertThat(read.get("requests").asInt()).isEqualTo(2000);
    assertThat(read.get("ops-per-second").asDouble()).isPositive();
    assertThat(read.get("l2-cache").get("hit-rate").asDouble()).isGreaterThan(0.9);
    // 300 requests of 5000 bytes one after another, into data and into what was never written
    Cowbell.of(
        with(common, "-c", 300, "-d", 8, "-w", "--pattern", 7, "-s", 5000, "-o", "15M", image));
    QemuImg.checkClean(image);
    long from = 15 << 20;
    long end = from + 300 * 5000;
    QemuIo.of(image, "read -P 1 0 15M");
    QemuIo.of(image, "read -P 7 %d %d".formatted(from, end - from));
    QemuIo.of(image, "read -P 0 %d %d".formatted(end, SIZE - end));
  }

  private static Object[] with(Object[] first, Object... more) {
    Object[] all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }

  @Test
  void flushes_in_between_and_refuses_what_makes_no_sense() {
    assertThat(Cowbell.of("image", "bench", "-c", 200, "-w", "--flush-interval=64", image))
        .contains("Sending flush every 64 requests");
    QemuImg.checkClean(image);
    Object[][] refused = {
      {"--flush-interval=64"},
      {"-w", "--flush-interval=3"},
      {"-d", 0},
      {"-s", 0},
      {"--pattern=256", "-w"},
      {"-t", "nonsense"},
      {"-i", "nonsense"},
      {"-i", "native"}
    };
    for (Object[] options : refused) {
      Shell.Result result = Cowbell.run(with(new Object[] {"image", "bench", image}, options));
      assertThat(result.exit()).as(result.toString()).isEqualTo(2);
      assertThat(result.err().lines().count()).isLessThanOrEqualTo(2);
    }
    assertThat(Cowbell.run("image", "bench", "-o", "33M", image).exit()).isEqualTo(1);
  }
}
