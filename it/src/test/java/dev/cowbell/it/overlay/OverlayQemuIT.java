package dev.cowbell.it.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.Run;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.overlay.OverlayChainDisk;
import dev.cowbell.qcow2.overlay.OverlayExtents;
import dev.cowbell.qcow2.overlay.OverlaySizing;
import dev.cowbell.qcow2.overlay.OverlaySummary;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What QEMU makes of overlays that it did not write. */
class OverlayQemuIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 10);

  @TempDir private Path folder;

  private static void writeRaw(Path raw, long size, long at, byte[] content) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(raw.toFile(), "rw")) {
      file.setLength(size);
      file.seek(at);
      file.write(content);
    }
  }

  private static byte[] random(Random random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  @ParameterizedTest
  @CsvSource({
    "0, 4096",
    "512, 4096",
    "4096, 65536",
    "66048, 65536",
    "30000128, 4096",
    "30000128, 65536",
    "30000128, 2097152"
  })
  void a_full_of_any_size_is_clean_and_identical(int size, int clusterSize) throws IOException {
    Path raw = folder.resolve("disk.raw");
    byte[] content = random(new Random(size), size);
    // Incompressible, compressible and no content.
    Arrays.fill(content, size / 3, size / 2, (byte) 5);
    Arrays.fill(content, size / 2, 2 * (size / 3), (byte) 0);
    writeRaw(raw, size, 0, content);
    try (OverlayFolder points = new OverlayFolder(folder);
        RawDisk disk = RawDisk.adopt(ChannelHostFile.openReadOnly(raw))) {
      points.write(disk, clusterSize, OverlayExtents.full(disk));
      points.assertAllClean();
      QemuImg.assertSame(raw, "raw", points.file(0), "qcow2");
      assertThat(points.verify(0)).isEmpty();
    }
  }

  @Test
  void a_chain_of_random_rounds_is_clean_and_identical_at_every_point() throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    Random random = new Random(seed);
    Path raw = folder.resolve("disk.raw");
    long size = 48 << 20;
    writeRaw(raw, size, 1 << 20, random(random, 8 << 20));
    try (OverlayFolder points = new OverlayFolder(folder)) {
      for (int round = 0; round <= ROUNDS; round++) {
        long before = size;
        size = round % 4 == 3 ? 512L * (40_000 + random.nextInt(80_000)) : size;
        ExtentSet changed = change(raw, random, before, size);
        try (RawDisk disk = RawDisk.adopt(ChannelHostFile.openReadOnly(raw))) {
          points.write(
              disk,
              4096 << random.nextInt(10),
              round == 0 ? OverlayExtents.full(disk) : OverlayExtents.changed(disk, changed));
        }
        QemuImg.assertSame(raw, "raw", points.file(round), "qcow2");
        assertThat(points.verify(round)).as("seed %d", seed).isEmpty();
        try (OverlayChainDisk ours = new OverlayChainDisk(points.chain(round))) {
          ByteBuffer all = ByteBuffer.allocate((int) ours.size());
          ours.read(0, all);
          assertThat(all.array()).as("seed %d", seed).isEqualTo(Files.readAllBytes(raw));
        }
      }
      points.assertAllClean();
    }
  }

  /** Changes a raw disk, and returns where, in multiples of 64 KiB. */
  private static ExtentSet change(Path raw, Random random, long before, long size)
      throws IOException {
    ExtentSet.Builder changed = ExtentSet.builder();
    changed.add(Math.min(before, size), Math.abs(size - before));
    for (int i = random.nextInt(20); i >= 0; i--) {
      int length = 1 + random.nextInt(1 << (10 + random.nextInt(11)));
      long at = random.nextLong(size - length);
      byte[] content = random.nextInt(3) == 0 ? new byte[length] : random(random, length);
      if (random.nextBoolean()) {
        Arrays.fill(content, 0, length / 2, (byte) random.nextInt(2));
      }
      writeRaw(raw, size, at, content);
      changed.add(at, length);
    }
    return changed.build().alignOutward(65536);
  }

  @Test
  void a_flipped_byte_in_a_frame_fails_the_read() throws IOException {
    Path raw = folder.resolve("disk.raw");
    byte[] text =
        "The quick brown fox jumps over the lazy dog. "
            .repeat(1500)
            .getBytes(StandardCharsets.UTF_8);
    writeRaw(raw, 1 << 20, 0, Arrays.copyOf(text, 65536));
    writeRaw(raw, 1 << 20, 65536, random(new Random(1), 65536));
    try (OverlayFolder points = new OverlayFolder(folder);
        RawDisk disk = RawDisk.adopt(ChannelHostFile.openReadOnly(raw))) {
      OverlaySummary written = points.write(disk, 65536, OverlayExtents.full(disk));
      byte[] object = Files.readAllBytes(points.file(0));
      Path damaged = folder.resolve("damaged.qcow2");
      for (int i = 0; i < 40; i++) {
        // Frames stand right behind the head; their first bytes say what they are.
        int at = written.headLength() + 8 + (int) (i * (written.frameBytes() - 8) / 40);
        object[at] ^= 0x10;
        Files.write(damaged, object);
        assertThat(QemuImg.run("convert", "-O", "raw", damaged, folder.resolve("out")).exit())
            .as("byte %d", at)
            .isNotZero();
        object[at] ^= 0x10;
      }
      Files.write(damaged, object);
      QemuImg.assertSame(raw, "raw", damaged, "qcow2");
    }
  }

  @Test
  void scattered_changes_on_a_terabyte_cost_little_more_than_themselves() throws IOException {
    ScatteredDisk disk = ScatteredDisk.even(1L << 40, 2000, 65536);
    try (OverlayFolder points = incrementOf(disk)) {
      assertThat(disk.content().totalLength()).isEqualTo(131_072_000);
      assertThat(points.summary(1).size()).isLessThanOrEqualTo(150_000_000);
      assertThat(Files.size(points.file(1))).isEqualTo(points.summary(1).size());
      points.assertAllClean();
      assertThat(points.verify(1)).isEmpty();
    }
  }

  @Test
  void changes_on_ten_terabytes_cost_little_more_than_themselves() throws IOException {
    ScatteredDisk disk = ScatteredDisk.even(10L << 40, 96, 1 << 20);
    try (OverlayFolder points = incrementOf(disk)) {
      assertThat(points.summary(1).metadataBytes()).isLessThan(6 << 20);
      assertThat(points.summary(1).dataClusters() * points.summary(1).clusterSize())
          .isEqualTo(disk.content().totalLength());
      points.assertAllClean();
      readsBack(disk, points);
    }
  }

  /** An increment with all of a disk's content, over an empty full. */
  private OverlayFolder incrementOf(ScatteredDisk disk) throws IOException {
    OverlayFolder points = new OverlayFolder(folder);
    ScatteredDisk empty = new ScatteredDisk(disk.size(), ExtentSet.empty());
    points.write(empty, 65536, OverlayExtents.full(empty));
    int clusterSize = OverlaySizing.forIncrement(disk.size(), disk.content(), 65536).clusterSize();
    points.write(disk, clusterSize, OverlayExtents.changed(disk, disk.content()));
    return points;
  }

  private static void readsBack(ScatteredDisk disk, OverlayFolder points) throws IOException {
    try (OverlayChainDisk ours = new OverlayChainDisk(points.chain(1))) {
      for (Run run : disk.content()) {
        ByteBuffer expected = ByteBuffer.allocate((int) run.length());
        disk.read(run.offset(), expected);
        ByteBuffer read = ByteBuffer.allocate((int) run.length());
        ours.read(run.offset(), read);
        assertThat(read.array()).isEqualTo(expected.array());
      }
    }
  }
}
