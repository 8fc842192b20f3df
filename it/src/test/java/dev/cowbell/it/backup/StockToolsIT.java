package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk's folder of a repository, in the hands of somebody who has no Cowbell. */
class StockToolsIT {

  @TempDir private Path scratch;

  @Test
  void qemu_img_finds_every_overlay_clean_and_the_newest_identical_with_the_source()
      throws IOException {
    Random random = new Random(11);
    TestRepository repository = TestRepository.create(scratch.resolve("repository").toString());
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", 40 << 20, random);
    image.change(100);
    repository.backup(image.path());
    for (int round = 0; round < 4; round++) {
      image.change(8);
      if (round == 2) {
        image.resize(48 << 20);
      }
      repository.backup(image.path());
    }
    List<Path> overlays = copied(scratch.resolve("repository/vms/web/disks/vda"));
    assertThat(overlays).hasSize(5);
    for (Path overlay : overlays) {
      Shell.Result check = QemuImg.check(overlay);
      assertThat(check.exit()).as(check.toString()).isZero();
      assertThat(QemuImg.json(check.out()).has("leaks")).as(check.out()).isFalse();
    }
    QemuImg.assertSame(overlays.getLast(), "qcow2", image.path(), "qcow2");
  }

  /** The folder's overlays, downloaded as they are, oldest first. */
  private List<Path> copied(Path folder) throws IOException {
    Path download = Files.createDirectory(scratch.resolve("download"));
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.copy(file, download.resolve(file.getFileName()));
      }
    }
    try (Stream<Path> files = Files.list(download)) {
      return files.filter(file -> file.toString().endsWith(".qcow2")).sorted().toList();
    }
  }
}
