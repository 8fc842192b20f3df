package dev.cowbell.it.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.reading.RandomGuest;
import dev.cowbell.qcow2.SnapshotRefusedException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.snapshot.SnapshotEditor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Internal snapshots, made, applied and deleted by us and by qemu-img in turn. */
final class SnapshotIT {
  private static final int STEPS = 3 * Integer.getInteger("cowbell.rounds", 1);
  private static final int MAX_SNAPSHOTS = 3;

  @TempDir private Path dir;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final Random random = new Random(seed);

  /** A kind of image. */
  record Kind(int version, int clusterSize, int refcountBits, boolean extended, boolean backed) {

    String options() {
      String options =
          "compat=%s,cluster_size=%d".formatted(version == 2 ? "0.10" : "1.1", clusterSize);
      return version == 2
          ? options
          : options
              + ",refcount_bits="
              + refcountBits
              + (extended ? ",extended_l2=on" : "")
              + (clusterSize == 4096 ? ",compression_type=zstd" : "");
    }

    /** Packed clusters and snapshots overflow narrow refcounts. */
    boolean narrow() {
      return refcountBits < 16;
    }

    long diskSize() {
      return Math.clamp(4L * clusterSize, 1 << 20, 8 << 20) + clusterSize / 1024 * 512L;
    }
  }

  static List<Kind> kinds() {
    List<Kind> kinds = new ArrayList<>();
    for (int clusterSize : new int[] {512, 4096, 65536, 2 << 20}) {
      kinds.add(new Kind(2, clusterSize, 16, false, clusterSize == 4096));
      for (int bits : new int[] {1, 2, 16, 64}) {
        kinds.add(new Kind(3, clusterSize, bits, false, bits == 64));
      }
      if (clusterSize >= 65536) {
        kinds.add(new Kind(3, clusterSize, 16, true, false));
        kinds.add(new Kind(3, clusterSize, 2, true, true));
      }
    }
    return kinds;
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void keeps_every_state_through_operations_of_ours_and_of_qemu(Kind kind) throws Exception {
    Path image = create(kind);
    SnapshotModel model = new SnapshotModel(image);
    RandomGuest guest = new RandomGuest(random, kind.clusterSize(), !kind.narrow());
    String story = "seed " + seed + ":";
    for (int step = 0; step < STEPS; step++) {
      guest.act(image, 1 + random.nextInt(5), model.active().size());
      model.written();
      story += " " + act(kind, image, model);
      model.verify(story);
    }
  }

  private Path create(Kind kind) throws IOException {
    Path image = dir.resolve("image.qcow2");
    if (!kind.backed()) {
      QemuImg.create(image, kind.options(), kind.diskSize());
      return image;
    }
    Path base = dir.resolve("base.qcow2");
    QemuImg.create(base, "", kind.diskSize() / 2 / 512 * 512);
    new RandomGuest(random, 65536, true).act(base, 6, kind.diskSize() / 2 / 512 * 512);
    QemuImg.createOver(image, kind.options(), base.toString(), "qcow2", kind.diskSize());
    return image;
  }

  private String act(Kind kind, Path image, SnapshotModel model) throws IOException {
    List<String> ids = model.ids();
    boolean ours = kind.narrow() || random.nextInt(3) > 0;
    String who = ours ? "" : "qemu ";
    int choice = random.nextInt(10);
    if (ids.isEmpty() || (choice < 4 && ids.size() < MAX_SNAPSHOTS)) {
      return create(ours, image, model) ? who + "create" : "refused create";
    }
    String id = ids.get(random.nextInt(ids.size()));
    if (choice < 7) {
      return apply(ours, image, model, id) ? who + "apply " + id : "refused apply " + id;
    }
    if (choice == 7 && kind.version() == 3) {
      long size = kind.diskSize() + (random.nextInt(5) - 2) * (kind.diskSize() / 4 / 512 * 512);
      QemuImg.of("resize", "-q", "-f", "qcow2", "--shrink", image, size);
      model.written();
      return "resize " + size;
    }
    if (ours) {
      try (SnapshotEditor editor = SnapshotEditor.open(image)) {
        editor.delete("snapshot.id=" + id);
      }
    } else {
      QemuImg.of("snapshot", "-d", name(image, id), image);
    }
    model.deleted(id);
    return who + "delete " + id;
  }

  private static String name(Path image, String id) throws IOException {
    try (SnapshotEditor editor = SnapshotEditor.open(image)) {
      return editor.snapshots().byId(id).orElseThrow().name();
    }
  }

  private boolean create(boolean ours, Path image, SnapshotModel model) throws IOException {
    String name = "s" + random.nextInt(1 << 30);
    if (ours) {
      byte[] before = Files.readAllBytes(image);
      try (SnapshotEditor editor = SnapshotEditor.open(image)) {
        editor.create(NewSnapshot.named(name, Instant.now()));
      } catch (UnsupportedFeatureException e) {
        assertThat(e).hasMessageContaining("refcounts of");
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
        return false;
      }
    } else {
      QemuImg.of("snapshot", "-c", name, image);
    }
    model.created();
    return true;
  }

  private static boolean apply(boolean ours, Path image, SnapshotModel model, String id)
      throws IOException {
    if (ours) {
      byte[] before = Files.readAllBytes(image);
      try (SnapshotEditor editor = SnapshotEditor.open(image)) {
        editor.apply("snapshot.id=" + id);
      } catch (UnsupportedFeatureException e) {
        assertThat(e).hasMessageContaining("refcounts of");
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
        return false;
      }
    } else {
      QemuImg.of("snapshot", "-a", id, image);
    }
    model.applied(id);
    return true;
  }

  @ParameterizedTest
  @ValueSource(strings = {"compat=0.10", "cluster_size=4k", ""})
  void lists_what_qemu_lists(String options) {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, options, 8 << 20);
    assertThat(Cowbell.of("image", "snapshot", "-l", image)).isEmpty();
    QemuImg.of("snapshot", "-c", "first", image);
    Cowbell.of("image", "snapshot", "-c", "second one with a name that is long", image);
    Cowbell.of("image", "snapshot", "-c", "first", image);
    Cowbell.of("image", "snapshot", "-c", "", image);
    QemuImg.of("snapshot", "-c", "last", image);
    assertThat(Cowbell.of("image", "snapshot", "-l", image))
        .isEqualTo(QemuImg.of("snapshot", "-l", image));
    assertThat(QemuImg.json(Cowbell.of("image", "snapshot", "-l", "--json", image)))
        .isEqualTo(QemuImg.json("{\"snapshots\":" + QemuImg.info(image).get("snapshots") + "}"));
    QemuImg.checkClean(image);
  }

  @Test
  void follows_the_command_lines_of_qemu() {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "", 8 << 20);
    QemuIo.of(image, "write -P 1 0 1M");
    Cowbell.of("image", "snapshot", "-c", "one", image);
    QemuIo.of(image, "write -P 2 0 1M");
    Cowbell.of("image", "snapshot", "-q", "-a", "one", "-f", "qcow2", image);
    QemuIo.of(image, "read -P 1 0 1M");
    assertThat(Cowbell.run("image", "snapshot", "-d", "two", image).exit()).isEqualTo(6);
    assertThat(Cowbell.run("image", "snapshot", "-d", "one", "-l", image).exit()).isEqualTo(2);
    assertThat(Cowbell.run("image", "snapshot", image).exit()).isEqualTo(2);
    assertThat(Cowbell.run("image", "snapshot", "-l", dir.resolve("none")).exit()).isEqualTo(6);
    Cowbell.of("image", "snapshot", "-c", "1", image);
    assertThat(Cowbell.run("image", "snapshot", "-d", "1", image).failure())
        .contains("is the id of one snapshot and the name of another");
    Cowbell.of("image", "snapshot", "-d", "snapshot.name=1", image);
    Cowbell.of("image", "snapshot", "-d", "1", image);
    assertThat(QemuImg.of("snapshot", "-l", image)).isEmpty();
    QemuImg.checkClean(image);
  }

  @Test
  void refuses_to_apply_a_snapshot_while_there_are_bitmaps() throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "", 8 << 20);
    QemuImg.of("snapshot", "-c", "one", image);
    QemuImg.of("bitmap", "--add", image, "tracked");
    QemuIo.of(image, "write -P 1 0 1M");
    try (SnapshotEditor editor = SnapshotEditor.open(image)) {
      assertThatThrownBy(() -> editor.apply("one"))
          .isInstanceOf(SnapshotRefusedException.class)
          .hasMessageContaining("1 persistent bitmaps");
      editor.create(NewSnapshot.named("two", Instant.EPOCH));
    }
    QemuImg.checkClean(image);
    assertThat(QemuImg.run("snapshot", "-a", "one", image).failure()).contains("bitmaps");
  }

  @Test
  void refuses_images_with_a_data_file() throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "data_file=" + dir.resolve("data"), 8 << 20);
    try (SnapshotEditor editor = SnapshotEditor.open(image)) {
      assertThatThrownBy(() -> editor.create(NewSnapshot.named("one", Instant.EPOCH)))
          .isInstanceOf(UnsupportedFeatureException.class)
          .hasMessageContaining("data file");
    }
  }
}
