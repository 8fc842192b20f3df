package dev.cowbell.it.bitmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.QemuNbd;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Our own writes are recorded as QEMU records its own. */
@ExtendWith(SeededRandom.class)
final class RecordedWritesIT {

  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 4);
  private static final long SIZE = 40 << 20;
  private static final OpenOptions WRITING =
      OpenOptions.following().withAccess(OpenOptions.Access.READ_WRITE);

  @TempDir private Path dir;

  private enum Kind {
    WRITE,
    ZERO,
    ZERO_UNMAP,
    DISCARD
  }

  private static final List<Kind> KINDS = List.of(Kind.values());

  private record Change(Kind kind, long at, int length, int pattern) {

    static Change random(Random random) {
      long at = random.nextLong(SIZE);
      long most = Math.min(SIZE - at, 1L << (9 + random.nextInt(13)));
      int length = 1 + (int) random.nextLong(most);
      if (random.nextBoolean()) {
        at &= -4096;
        length = (int) Math.min(SIZE - at, (length + 4095) & -4096);
      }
      Kind kind = KINDS.get(random.nextInt(KINDS.size()));
      return new Change(kind, at, length, random.nextInt(1, 256));
    }

    String command() {
      String range = at + " " + length;
      return switch (kind) {
        case WRITE -> "write -P " + pattern + " " + range;
        case ZERO -> "write -z " + range;
        case ZERO_UNMAP -> "write -z -u " + range;
        case DISCARD -> "discard " + range;
      };
    }

    void apply(Qcow2Image image) throws IOException {
      switch (kind) {
        case WRITE -> {
          byte[] bytes = new byte[length];
          Arrays.fill(bytes, (byte) pattern);
          image.write(at, ByteBuffer.wrap(bytes));
        }
        case ZERO -> image.writeZeroes(at, length, ZeroSpace.KEEP);
        case ZERO_UNMAP -> image.writeZeroes(at, length, ZeroSpace.MAY_FREE);
        case DISCARD -> image.discard(at, length);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512,refcount_bits=64",
        "cluster_size=4k",
        "cluster_size=64k",
        "cluster_size=2M,refcount_bits=16"
      })
  void random_writes_leave_the_same_bitmaps_as_qemus(String options, Random random)
      throws Exception {
    Path ours = dir.resolve("ours.qcow2");
    Path theirs = dir.resolve("theirs.qcow2");
    for (Path image : List.of(ours, theirs)) {
      QemuImg.create(image, options, SIZE);
      for (int bits : new int[] {9, 12, 16, 20}) {
        QemuImg.of("bitmap", "--add", "-g", 1 << bits, image, "g" + bits);
      }
      QemuImg.of("bitmap", "--add", "--disable", image, "disabled");
    }
    for (int round = 0; round < ROUNDS; round++) {
      List<Change> changes = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        changes.add(Change.random(random));
      }
      QemuIo.of(theirs, changes.stream().map(Change::command).toList());
      try (Qcow2Image image = Qcow2Image.open(ours, WRITING)) {
        for (Change change : changes) {
          change.apply(image);
        }
      }
      QemuImg.checkClean(ours);
      assertThat(ImageFixture.listOfQemu(ours)).isEqualTo(ImageFixture.listOfQemu(theirs));
    }
    for (BitmapInfo info : ImageFixture.list(theirs)) {
      ExtentSet dirty = QemuNbd.dirty(theirs, info.name());
      assertThat(QemuNbd.dirty(ours, info.name())).as(info.name()).isEqualTo(dirty);
      assertThat(ImageFixture.load(ours, info.name()).toExtents()).isEqualTo(dirty);
      assertThat(Cowbell.of("image", "dirty", "--json", ours, info.name()))
          .isEqualTo(Cowbell.of("image", "dirty", "--json", theirs, info.name()));
      assertThat(dirty.isEmpty()).isEqualTo(info.name().equals("disabled"));
    }
  }

  @Test
  void qemu_finds_bitmaps_in_use_until_the_image_is_closed_and_trusts_them_afterwards()
      throws Exception {
    Path image = dir.resolve("a.qcow2");
    QemuImg.create(image, "cluster_size=64k", SIZE);
    QemuImg.of("bitmap", "--add", image, "b");
    Path killed = dir.resolve("killed.qcow2");
    try (Qcow2Image open = Qcow2Image.open(image, WRITING)) {
      open.write(0, ByteBuffer.wrap(new byte[] {1}));
      open.flush();
      Files.copy(image, killed);
    }
    assertThat(ImageFixture.listOfQemu(image)).noneMatch(BitmapInfo::inUse);
    assertThat(ImageFixture.listOfQemu(killed)).allMatch(BitmapInfo::inUse);
    QemuIo.of(killed, "read -P 1 0 1", "write 0 512");
    try (Qcow2Image open = Qcow2Image.open(killed, WRITING)) {
      open.write(1 << 20, ByteBuffer.wrap(new byte[] {1}));
    }
    assertThat(ImageFixture.listOfQemu(killed)).hasSize(1).allMatch(BitmapInfo::inUse);
    QemuImg.checkClean(killed);
  }

  @Test
  void an_increment_holds_what_we_wrote_between_two_backups() throws Exception {
    Path image = dir.resolve("vda.qcow2");
    Path repository = dir.resolve("repository");
    QemuImg.create(image, "cluster_size=64k", SIZE);
    QemuIo.of(image, "write -P 1 0 10M", "write -P 2 20M 1M");
    Cowbell.of("init", "--repo", repository);
    Cowbell.of("backup", "--repo", repository, "--vm", "vm", image);
    Cowbell.of(
        "image",
        "io",
        "-c",
        "write -P 9 4k 100k",
        "-c",
        "write -z 1M 64k",
        "-c",
        "discard 20M 512k",
        "-c",
        "write -P 7 39M 1M",
        image);
    Cowbell.of("backup", "--repo", repository, "--vm", "vm", image);
    assertThat(Cowbell.of("points", "--repo", repository, "--vm", "vm")).contains("incremental");
    Path restored = dir.resolve("restored.raw");
    Cowbell.of("restore", "--repo", repository, "--vm", "vm", "--to", restored);
    QemuImg.assertSame(image, "qcow2", restored, "raw");
  }
}
