package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.it.writing.WriterProcess.Ended;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Writers that are killed, or run out of space, at any moment: what they said was flushed is there,
 * and QEMU finds leaks at most.
 */
final class FlushedWritesIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 8);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());
  private static final int DISK_SIZE = 8 << 20;
  private static final int CHECK_LEAKS = 3;

  @TempDir private Path dir;

  private final Random random = new Random(SEED);

  private Path create() {
    int clusterSize = 512 << random.nextInt(9);
    Path image = dir.resolve("image.qcow2");
    Path base = dir.resolve("base.qcow2");
    QemuImg.create(base, "", DISK_SIZE / 2);
    QemuIo.of(base, "write -P 9 0 " + DISK_SIZE / 2);
    QemuImg.createOver(image, "cluster_size=" + clusterSize, "base.qcow2", "qcow2", DISK_SIZE);
    return image;
  }

  @Test
  void keeps_what_was_flushed_when_it_is_killed() throws Exception {
    Path image = create();
    byte[] before = Mirror.ofQemu(image).content();
    int acknowledged = 0;
    for (int round = 0; round < ROUNDS; round++) {
      long seed = SEED + round;
      Ended ended = WriterProcess.run(image, seed, Integer.MAX_VALUE, random.nextInt(400), null);
      assertThat(ended.failed()).as(ended.last()).isEmpty();
      acknowledged += ended.flushed();
      before = assertKept(image, seed, before, ended);
    }
    assertThat(acknowledged).isPositive();
    QemuImg.of("check", "-q", "-r", "leaks", image);
    QemuImg.checkClean(image);
  }

  @Test
  void keeps_what_was_flushed_when_there_is_no_space_left() throws Exception {
    Path image = create();
    byte[] before = Mirror.ofQemu(image).content();
    int failures = 0;
    for (int round = 0; round < ROUNDS / 2; round++) {
      long seed = SEED + round;
      int limit = 1200 + 700 * round + random.nextInt(500);
      Ended ended = WriterProcess.run(image, seed, 400, null, limit);
      failures += ended.failed().size();
      before = assertKept(image, seed, before, ended);
    }
    assertThat(failures).isPositive();
    Ended ended = WriterProcess.run(image, SEED - 1, 300, null, null);
    assertThat(ended.closed()).as(ended.last()).isTrue();
    assertThat(ended.failed()).as(ended.last()).isEmpty();
    assertKept(image, SEED - 1, before, ended);
    QemuImg.of("check", "-q", "-r", "leaks", image);
    QemuImg.checkClean(image);
  }

  private static byte[] assertKept(Path image, long seed, byte[] before, Ended ended)
      throws IOException {
    String what = "seed %d, flushed %d, %s".formatted(SEED, ended.flushed(), ended.last());
    Shell.Result check = QemuImg.run("check", "-f", "qcow2", image);
    assertThat(check.exit()).as(what + " " + check).isIn(0, CHECK_LEAKS);
    PossibleDisk possible = new PossibleDisk(before);
    ChildWrites writes = new ChildWrites(seed, before.length);
    int last = ended.flushed() + WriterProcess.MAX_UNFLUSHED;
    for (int i = 0; i < last; i++) {
      possible.change(writes.next(), i < ended.flushed() && !ended.failed().contains(i));
    }
    byte[] after = Mirror.ofQemu(image).content();
    possible.assertIs(after, what);
    return after;
  }
}
