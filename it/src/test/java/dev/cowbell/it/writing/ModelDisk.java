package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

/** A disk of plain bytes with snapshots, and the same random operations on it and on an image. */
final class ModelDisk {
  private static final int SECTOR = 512;
  private static final int MAX_SNAPSHOTS = 4;

  private final ModelGeometry geometry;
  private final Random random;
  private final Map<String, byte[]> snapshots = new LinkedHashMap<>();
  private byte[] content;
  private String last = "";

  ModelDisk(ModelGeometry geometry, byte[] content, Random random) {
    this.geometry = geometry;
    this.content = content;
    this.random = random;
  }

  byte[] content() {
    return content;
  }

  /** What was done last. */
  String last() {
    return last;
  }

  /** Does one random operation to the image and here. */
  void act(Qcow2Image image) throws IOException {
    int choice = random.nextInt(100);
    if (choice < 40) {
      write(image);
    } else if (choice < 50) {
      writeCompressed(image);
    } else if (choice < 70) {
      zero(image);
    } else if (choice < 82) {
      discard(image);
    } else if (choice < 86) {
      resize(image);
    } else if (choice < 94) {
      snapshot(image);
    } else {
      last = "flush";
      image.flush();
    }
  }

  private int place(int unit) {
    return random.nextInt(content.length) / unit * unit;
  }

  private int length(int at, int unit) {
    int longest =
        random.nextInt(20) == 0
            ? content.length
            : Math.min(content.length, 1 << random.nextInt(17));
    int length = (1 + random.nextInt(longest)) / unit * unit;
    return Math.min(Math.max(unit, length), content.length - at);
  }

  private int unit() {
    return switch (random.nextInt(4)) {
      case 0 -> 1;
      case 1 -> geometry.clusterSize();
      default -> SECTOR;
    };
  }

  private void write(Qcow2Image image) throws IOException {
    int unit = unit();
    int at = place(unit);
    byte[] bytes = new byte[length(at, unit)];
    Arrays.fill(bytes, (byte) (1 + random.nextInt(255)));
    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
    last = "write " + at + " " + bytes.length;
    image.write(at, ByteBuffer.wrap(bytes));
    System.arraycopy(bytes, 0, content, at, bytes.length);
  }

  private void writeCompressed(Qcow2Image image) throws IOException {
    int clusterSize = geometry.clusterSize();
    int at = place(clusterSize);
    byte[] bytes = new byte[Math.min(content.length - at, clusterSize * (1 + random.nextInt(3)))];
    if (random.nextInt(4) == 0) {
      random.nextBytes(bytes);
    } else {
      Arrays.fill(bytes, bytes.length / 3, bytes.length, (byte) random.nextInt());
    }
    last = "compressed " + at + " " + bytes.length;
    try (ClusterPacker packer = ClusterPacker.of(image.head().header().compressionType())) {
      if (image.canCompress()) {
        image.writeCompressed(at, ByteBuffer.wrap(bytes), packer);
      } else {
        image.write(at, ByteBuffer.wrap(bytes));
      }
    }
    System.arraycopy(bytes, 0, content, at, bytes.length);
  }

  private void zero(Qcow2Image image) throws IOException {
    int unit = unit();
    int at = place(unit);
    int length = length(at, unit);
    ZeroSpace space = random.nextBoolean() ? ZeroSpace.MAY_FREE : ZeroSpace.KEEP;
    last = "zero " + space + " " + at + " " + length;
    image.writeZeroes(at, length, space);
    Arrays.fill(content, at, at + length, (byte) 0);
  }

  private void discard(Qcow2Image image) throws IOException {
    int unit = unit();
    int at = place(unit);
    byte[] bytes = new byte[length(at, unit)];
    last = "discard " + at + " " + bytes.length;
    image.discard(at, bytes.length);
    image.read(at, ByteBuffer.wrap(bytes));
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] != 0 && bytes[i] != content[at + i]) {
        throw new AssertionError("discarded offset " + (at + i) + " holds " + bytes[i]);
      }
    }
    System.arraycopy(bytes, 0, content, at, bytes.length);
  }

  private void resize(Qcow2Image image) throws IOException {
    int size = (1 + random.nextInt(geometry.maxSize() / SECTOR)) * SECTOR;
    last = "resize " + content.length + " to " + size;
    try {
      image.resize(size, Shrinking.ALLOWED);
    } catch (UnsupportedFeatureException e) {
      assertThat(geometry.version() == 2 && !snapshots.isEmpty()).as(e.toString()).isTrue();
      return;
    }
    content = Arrays.copyOf(content, size);
  }

  private void snapshot(Qcow2Image image) throws IOException {
    List<String> ids = List.copyOf(snapshots.keySet());
    int choice = random.nextInt(10);
    if (!geometry.canHaveSnapshots()) {
      return;
    }
    if (ids.isEmpty() || (choice < 5 && ids.size() < MAX_SNAPSHOTS)) {
      create(image);
      return;
    }
    String id = ids.get(random.nextInt(ids.size()));
    if (choice < 7) {
      last = "delete " + id;
      image.deleteSnapshot("snapshot.id=" + id);
      snapshots.remove(id);
    } else if (choice < 9) {
      apply(image, id);
    } else {
      last = "look at " + id;
      SnapshotEntry entry = image.snapshots().byId(id).orElseThrow();
      try (MappedDisk shown = image.openSnapshot(entry)) {
        assertShows(shown, held(id), "snapshot " + id);
      }
    }
  }

  private void create(Qcow2Image image) throws IOException {
    last = "create";
    try {
      SnapshotEntry made =
          image.createSnapshot(NewSnapshot.named("s" + random.nextInt(100), Instant.EPOCH));
      snapshots.put(made.id(), content.clone());
    } catch (UnsupportedFeatureException e) {
      assertThat(geometry.refcountBits()).as(e.toString()).isLessThan(8);
    }
  }

  private void apply(Qcow2Image image, String id) throws IOException {
    last = "apply " + id;
    try {
      image.applySnapshot("snapshot.id=" + id);
    } catch (UnsupportedFeatureException e) {
      assertThat(geometry.refcountBits()).as(e.toString()).isLessThan(8);
      return;
    }
    content = held(id).clone();
  }

  private byte[] held(String id) {
    return Objects.requireNonNull(snapshots.get(id));
  }

  /** Fails unless the image shows what is held here. */
  void assertShownBy(Qcow2Image image) throws IOException {
    assertShows(image, content, "the disk");
  }

  private void assertShows(GuestDisk disk, byte[] expected, String what) throws IOException {
    assertThat(disk.size()).as("size of " + what).isEqualTo(expected.length);
    byte[] shown = new byte[expected.length];
    disk.read(0, ByteBuffer.wrap(shown));
    int at = Arrays.mismatch(shown, expected);
    if (at >= 0) {
      throw new AssertionError(
          "%s differs at %d of %d: shown is %d, expected %d"
              .formatted(what, at, shown.length, shown[at], expected[at]));
    }
  }
}
