package dev.cowbell.it.reading;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.map.ChangedExtents;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Broken images: whatever is in them, reading ends soon with the right bytes or with one clear
 * error, and never shows bytes where QEMU shows others.
 */
class HostileImageIT {
  private static final int FLIPS = Integer.getInteger("cowbell.rounds", 250);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final int CLUSTER = 4096;
  private static final int SIZE = 6 << 20;

  @TempDir private Path folder;

  /** Why the last image was refused. */
  private String refusal = "";

  private Path pristine;
  private Path broken;

  @BeforeEach
  void createImage() {
    pristine = folder.resolve("pristine.qcow2");
    broken = folder.resolve("broken.qcow2");
    QemuImg.create(pristine, "cluster_size=4096", SIZE);
    RandomGuest guest = new RandomGuest(new Random(1), CLUSTER, true);
    guest.act(pristine, 20, SIZE);
    QemuImg.of("snapshot", "-q", "-c", "one", pristine);
    guest.act(pristine, 20, SIZE);
    QemuImg.of("snapshot", "-q", "-c", "two", pristine);
    guest.act(pristine, 10, SIZE);
  }

  /** Reads all there is of an image; what it shows, or nothing if it was refused. */
  private Optional<Path> readAll(String what) {
    return Assertions.assertTimeoutPreemptively(PATIENCE, () -> attempt(what), what);
  }

  private Optional<Path> attempt(String what) throws IOException {
    Path raw = folder.resolve("ours.raw");
    try (Qcow2Image image = Qcow2Image.open(broken, OpenOptions.following())) {
      for (SnapshotEntry snapshot : image.snapshots().entries()) {
        tolerating(what, () -> copy(image.openSnapshot(snapshot), folder.resolve("snapshot.raw")));
        tolerating(what, () -> image.changesSince(snapshot));
      }
      tolerating(what, () -> ChangedExtents.allocated(image.clusters(), image.size()));
      tolerating(what, () -> image.map(0, image.size(), _ -> {}));
      copy(image, raw);
      return Optional.of(raw);
    } catch (ImageException e) {
      assertClear(what, e);
      refusal = String.valueOf(e.getMessage());
      return Optional.empty();
    }
  }

  private interface Attempt {
    void run() throws IOException;
  }

  private static void tolerating(String what, Attempt attempt) throws IOException {
    try {
      attempt.run();
    } catch (ImageException e) {
      assertClear(what, e);
    }
  }

  private static void assertClear(String what, ImageException e) {
    assertThat(e.getMessage()).as(what).contains("broken.qcow2: ").doesNotContain("\n");
  }

  /** Copies the disk's data; its holes stay holes, so that a disk may claim any size. */
  private static void copy(GuestDisk disk, Path raw) throws IOException {
    Files.deleteIfExists(raw);
    ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
    try (FileChannel out =
        FileChannel.open(raw, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (var extent : disk.extents(0, disk.size())) {
        for (long at = extent.offset(); at < extent.end(); at += buffer.limit()) {
          buffer.clear().limit((int) Math.min(buffer.capacity(), extent.end() - at));
          if (!extent.status().equals(Extent.Status.DATA)) {
            break;
          }
          disk.read(at, buffer);
          out.write(buffer.flip(), at);
        }
      }
      if (out.size() < disk.size()) {
        out.write(ByteBuffer.allocate(1), disk.size() - 1);
      }
    }
  }

  /** If QEMU reads the image, then so do we, and the same; if it doesn't, we may. */
  private void assertNoOtherThanQemu(String what) throws IOException {
    Optional<Path> ours = readAll(what);
    Path theirs = folder.resolve("theirs.raw");
    Files.deleteIfExists(theirs);
    Shell.Result result = QemuImg.run("convert", "-f", "qcow2", "-O", "raw", broken, theirs);
    if (result.exit() == 0) {
      assertThat(ours).as("%s: QEMU reads it, but %s", what, refusal).isPresent();
      QemuImg.assertSame(ours.get(), "raw", theirs, "raw");
    }
  }

  private byte[] pristineBytes() throws IOException {
    return Files.readAllBytes(pristine);
  }

  @Test
  void an_image_cut_anywhere() throws Exception {
    byte[] bytes = pristineBytes();
    Random random = new Random(SEED);
    TreeSet<Integer> lengths = new TreeSet<>(List.of(0, 1, 3, 4, 71, 72, 103, 104, 112, 511, 512));
    for (int i = 0; i < 25; i++) {
      lengths.add(random.nextInt(bytes.length));
      lengths.add(random.nextInt(bytes.length / CLUSTER) * CLUSTER);
    }
    for (int length : lengths) {
      Files.write(broken, Arrays.copyOf(bytes, length));
      assertNoOtherThanQemu("seed " + SEED + " cut to " + length);
    }
  }

  @Test
  void bits_flipped_in_the_metadata() throws Exception {
    byte[] bytes = pristineBytes();
    List<Integer> metadata = metadataOffsets(bytes);
    for (int i = 0; i < FLIPS; i++) {
      Random random = new Random(SEED + i);
      byte[] flipped = bytes.clone();
      int flips = 1 + random.nextInt(3);
      for (int k = 0; k < flips; k++) {
        int at = metadata.get(random.nextInt(metadata.size()));
        flipped[at] ^= (byte) (1 << random.nextInt(8));
      }
      Files.write(broken, flipped);
      assertNoOtherThanQemu("seed " + (SEED + i));
    }
  }

  /** The bytes of the header, and of all L1, L2 and snapshot tables. */
  private static List<Integer> metadataOffsets(byte[] bytes) {
    ByteBuffer image = ByteBuffer.wrap(bytes);
    List<Integer> offsets = new ArrayList<>();
    // The header's share is larger than its length: it decides most.
    for (int i = 0; i < 20; i++) {
      addRange(offsets, 0, Header.LENGTH_V3);
    }
    int l1 = (int) Header.L1_TABLE_OFFSET.get(image);
    int entries = (int) Header.L1_SIZE.get(image);
    for (int i = 0; i < 20; i++) {
      addRange(offsets, l1, entries * 8);
      addRange(offsets, (int) Header.SNAPSHOTS_OFFSET.get(image), 130);
    }
    for (int i = 0; i < entries; i++) {
      int l2 = (int) (image.getLong(l1 + i * 8) & 0xffff_fe00);
      if (l2 != 0) {
        addRange(offsets, l2, CLUSTER);
      }
    }
    return offsets;
  }

  private static void addRange(List<Integer> offsets, int at, int length) {
    for (int i = at; i < at + length; i++) {
      offsets.add(i);
    }
  }

  @Test
  void lengths_and_offsets_of_any_size_in_every_header_field() throws Exception {
    byte[] bytes = pristineBytes();
    long[] values = {0, 1, 511, 512, CLUSTER, 1L << 31, (1L << 32) - 1, 1L << 40, 1L << 62};
    for (int at = 4; at < Header.LENGTH_V3; at += 4) {
      for (long value : values) {
        byte[] changed = bytes.clone();
        ByteBuffer.wrap(changed).putInt(at, (int) value);
        Files.write(broken, changed);
        readAll("field at " + at + " set to " + value);
        if (at % 8 == 0) {
          ByteBuffer.wrap(changed).putLong(at, value);
          Files.write(broken, changed);
          readAll("long field at " + at + " set to " + value);
          ByteBuffer.wrap(changed).putLong(at, -value);
          Files.write(broken, changed);
          readAll("long field at " + at + " set to " + -value);
        }
      }
    }
  }

  @Test
  void tables_that_point_at_each_other_and_at_themselves() throws Exception {
    byte[] bytes = pristineBytes();
    ByteBuffer image = ByteBuffer.wrap(bytes);
    long l1 = Header.L1_TABLE_OFFSET.get(image);
    int entries = (int) Header.L1_SIZE.get(image);
    long l2 = image.getLong((int) l1) & 0xff_ffff_ffff_fe00L;
    long[] targets = {0, l1, l2, Header.SNAPSHOTS_OFFSET.get(image), 1L << 55};
    for (long target : targets) {
      byte[] changed = bytes.clone();
      for (int i = 0; i < entries; i++) {
        ByteBuffer.wrap(changed).putLong((int) l1 + i * 8, target | 1L << 63);
      }
      Files.write(broken, changed);
      assertNoOtherThanQemu("all L1 entries point to " + target);
      changed = bytes.clone();
      for (int i = 0; i < CLUSTER / 8; i++) {
        ByteBuffer.wrap(changed).putLong((int) l2 + i * 8, target | 1L << 63);
      }
      Files.write(broken, changed);
      assertNoOtherThanQemu("all entries of an L2 table point to " + target);
    }
  }

  @Test
  void compressed_clusters_that_are_rubbish_or_far_away() throws Exception {
    byte[] bytes = pristineBytes();
    ByteBuffer image = ByteBuffer.wrap(bytes);
    int l1 = (int) Header.L1_TABLE_OFFSET.get(image);
    int l2 = (int) (image.getLong(l1) & 0xffff_fe00);
    Random random = new Random(SEED);
    for (int round = 0; round < 20; round++) {
      byte[] changed = bytes.clone();
      for (int i = 0; i < CLUSTER / 8; i++) {
        long word = random.nextInt(4) == 0 ? random.nextLong() : random.nextLong(bytes.length);
        ByteBuffer.wrap(changed).putLong(l2 + i * 8, (word | 1L << 62) & ~(1L << 63));
      }
      Files.write(broken, changed);
      assertNoOtherThanQemu("seed " + SEED + " round " + round);
    }
  }
}
