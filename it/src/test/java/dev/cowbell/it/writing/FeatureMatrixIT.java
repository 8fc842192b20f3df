package dev.cowbell.it.writing;

import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuNbd;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each feature with each cluster size and refcount width, made and written by one side and read by
 * the other, both ways; and what QEMU refuses, we refuse.
 */
@Execution(ExecutionMode.CONCURRENT)
final class FeatureMatrixIT {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 1);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());
  private static final int CHANGES = 10;
  private static final int GRANULARITY = 4096;

  @TempDir private Path folder;

  static Stream<Arguments> cells() {
    List<MatrixCell> all = MatrixCell.all();
    return IntStream.range(0, all.size()).mapToObj(i -> Arguments.of(SEED, i, all.get(i)));
  }

  @ParameterizedTest(name = "seed {0}, cell {1}: {2}")
  @MethodSource("cells")
  void qemu_reads_what_we_write_and_goes_on(long seed, int index, MatrixCell cell)
      throws IOException {
    Random random = new Random(seed + index);
    MatrixImage image = new MatrixImage(cell, folder, "image");
    if (refused(cell, image.create(random), "Cowbell")) {
      return;
    }
    assertMade(cell, image);
    byte[] content = cell.startsEmpty() ? new byte[cell.diskSize()] : image.contentToQemu();
    for (int round = 0; round < ROUNDS; round++) {
      write(image, content, random);
      byte[] before = content.clone();
      switch (cell.feature()) {
        case SNAPSHOT -> {
          snapshot(cell, image, "before");
          write(image, content, random);
        }
        case BITMAP -> {
          Cowbell.of("image", "bitmap", "--add", "-g", GRANULARITY, image.path(), "recorded");
          ExtentSet written = write(image, content, random);
          assertThat(QemuNbd.dirty(image.path(), "recorded")).isEqualTo(granules(cell, written));
        }
        default -> {}
      }
      image.assertCleanToQemu();
      MatrixImage.assertSame(image.contentToQemu(), content);
      if (cell.feature() == MatrixCell.Feature.RAW_DATA_FILE) {
        MatrixImage.assertSame(Files.readAllBytes(image.data()), content);
      }

      if (cell.feature() == MatrixCell.Feature.SNAPSHOT && cell.canShareClusters()) {
        MatrixImage.assertSame(image.contentToQemu("before"), before);
        QemuImg.of("snapshot", "-q", "-a", "before", image.path());
        image.assertCleanToQemu();
        QemuImg.of("snapshot", "-q", "-d", "before", image.path());
      }
      if (cell.feature() == MatrixCell.Feature.BITMAP) {
        QemuImg.of("bitmap", "--remove", image.path(), "recorded");
      }
      writeByQemu(cell, image, random);
      content = image.contentToQemu();
      assertReadsAs(image, content);
      image.assertCleanToQemu();
    }
  }

  @ParameterizedTest(name = "seed {0}, cell {1}: {2}")
  @MethodSource("cells")
  void we_read_what_qemu_writes_and_go_on(long seed, int index, MatrixCell cell)
      throws IOException {
    Random random = new Random(seed + index);
    MatrixImage image = new MatrixImage(cell, folder, "image");
    if (refused(cell, image.createByQemu(random), "QEMU")) {
      return;
    }
    assertMade(cell, image);
    for (int round = 0; round < ROUNDS; round++) {
      writeByQemu(cell, image, random);
      byte[] before = image.contentToQemu();
      assertReadsAs(image, before);
      byte[] content = before.clone();
      switch (cell.feature()) {
        case SNAPSHOT -> {
          snapshotByQemu(cell, image, "before");
          writeByQemu(cell, image, random);
          content = image.contentToQemu();
          assertReadsAs(image, content);
        }
        case BITMAP -> {
          QemuImg.of("bitmap", "--add", "-g", GRANULARITY, image.path(), "recorded");
          ExtentSet written = writeByQemu(cell, image, random);
          content = image.contentToQemu();
          assertReadsAs(image, content);
          assertThat(dirty(image.path(), "recorded")).isEqualTo(granules(cell, written));
          written = written.union(write(image, content, random));
          assertThat(QemuNbd.dirty(image.path(), "recorded")).isEqualTo(granules(cell, written));
        }
        default -> {}
      }
      write(image, content, random);
      image.assertCleanToQemu();
      image.assertCleanToUs();
      MatrixImage.assertSame(image.contentToQemu(), content);

      if (cell.feature() == MatrixCell.Feature.SNAPSHOT && cell.canShareClusters()) {
        try (Qcow2Image opened = image.open(Access.READ_WRITE)) {
          MatrixImage.assertShows(opened.openSnapshot(opened.snapshots().find("before")), before);
          opened.applySnapshot("before");
          opened.deleteSnapshot("before");
          MatrixImage.assertShows(opened, before);
        }
        image.assertCleanToQemu();
        MatrixImage.assertSame(image.contentToQemu(), before);
      }
      if (cell.feature() == MatrixCell.Feature.BITMAP) {
        Cowbell.of("image", "bitmap", "--remove", image.path(), "recorded");
        image.assertCleanToQemu();
      }
    }
  }

  /** Fails unless an image was made where there can be one, and refused in one line elsewhere. */
  private static boolean refused(MatrixCell cell, Shell.Result made, String side) {
    assertThat(made.exit() != 0).as("%s: %s", side, made).isEqualTo(cell.isImpossible());
    if (cell.isImpossible()) {
      assertThat(made.err()).as(made.toString()).hasLineCount(1);
    }
    return cell.isImpossible();
  }

  /** Fails unless the image has what its feature says, by QEMU's account. */
  private static void assertMade(MatrixCell cell, MatrixImage image) {
    if (cell.startsEmpty() && !cell.isPreallocated()) {
      return;
    }
    var counts = image.assertCleanToQemu();
    assertThat(counts.path("compressed-clusters").asLong() > 0).isEqualTo(cell.isCompressed());
    if (cell.isPreallocated()) {
      assertThat(counts.path("allocated-clusters")).isEqualTo(counts.path("total-clusters"));
    }
  }

  private static void assertReadsAs(MatrixImage image, byte[] content) throws IOException {
    try (Qcow2Image opened = image.open(Access.READ_ONLY)) {
      MatrixImage.assertShows(opened, content);
    }
    image.assertCleanToUs();
  }

  /** Writes with our library, and says where. */
  private static ExtentSet write(MatrixImage image, byte[] content, Random random)
      throws IOException {
    ExtentSet.Builder written = ExtentSet.builder();
    try (Qcow2Image opened = image.open(Access.READ_WRITE)) {
      int alignment = random.nextInt(3) == 0 ? 1 : 512;
      for (GuestChange change : GuestChange.random(random, content.length, alignment, CHANGES)) {
        GuestChange made = change.apply(opened, content);
        written.add(made.at(), made.length());
        if (random.nextInt(4) == 0) {
          opened.flush();
        }
      }
      MatrixImage.assertShows(opened, content);
    }
    return written.build();
  }

  private static ExtentSet writeByQemu(MatrixCell cell, MatrixImage image, Random random) {
    ExtentSet.Builder written = ExtentSet.builder();
    List<String> commands = new ArrayList<>();
    for (GuestChange change : GuestChange.random(random, cell.diskSize(), 512, CHANGES)) {
      commands.add(change.command());
      written.add(change.at(), change.length());
    }
    image.io(commands);
    return written.build();
  }

  /** Makes a snapshot with our library, or fails unless QEMU and we refuse it. */
  private void snapshot(MatrixCell cell, MatrixImage image, String name) throws IOException {
    if (!cell.canShareClusters()) {
      assertSnapshotRefused(image, name);
      return;
    }
    try (Qcow2Image opened = image.open(Access.READ_WRITE)) {
      opened.createSnapshot(NewSnapshot.named(name, Instant.EPOCH));
    }
  }

  private void snapshotByQemu(MatrixCell cell, MatrixImage image, String name) throws IOException {
    if (!cell.canShareClusters()) {
      assertSnapshotRefused(image, name);
      return;
    }
    QemuImg.of("snapshot", "-q", "-c", name, image.path());
  }

  private void assertSnapshotRefused(MatrixImage image, String name) throws IOException {
    // QEMU 7.2 leaves a leak behind when it fails
    Path copy = Files.copy(image.path(), folder.resolve("copy"), REPLACE_EXISTING);
    assertThat(QemuImg.run("snapshot", "-q", "-c", name, copy).exit()).isNotZero();
    try (Qcow2Image opened = image.open(Access.READ_WRITE)) {
      NewSnapshot wanted = NewSnapshot.named(name, Instant.EPOCH);
      assertThatThrownBy(() -> opened.createSnapshot(wanted))
          .isInstanceOf(UnsupportedFeatureException.class);
      assertThat(opened.snapshots().entries()).isEmpty();
    }
    image.assertCleanToQemu();
  }

  private static ExtentSet granules(MatrixCell cell, ExtentSet written) {
    return DirtyBitmap.of(written, cell.diskSize(), Integer.numberOfTrailingZeros(GRANULARITY))
        .toExtents();
  }

  private static ExtentSet dirty(Path image, String bitmap) {
    ExtentSet.Builder dirty = ExtentSet.builder();
    for (var run : QemuImg.json(Cowbell.of("image", "dirty", "--json", image, bitmap))) {
      dirty.add(run.get("start").asLong(), run.get("length").asLong());
    }
    return dirty.build();
  }
}
