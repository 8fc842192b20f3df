package dev.cowbell.it.snapshot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.QemuSystem;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.snapshot.SnapshotEditor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Snapshots with the state of a machine, made by a QEMU that ran. */
final class VmStateIT {

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"", "compat=0.10", "cluster_size=512", "extended_l2=on"})
  void keeps_vm_state_loadable_whatever_is_done_around_it(String options) throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, options, 8 << 20);
    QemuIo.of(image, "write -P 1 0 1M");
    monitor(image, "savevm machine");
    QemuImg.checkClean(image);
    create(image, "first");
    QemuIo.of(image, "write -P 2 512k 1M");
    create(image, "second");

    monitor(image, "loadvm machine");
    QemuIo.of(image, "read -P 1 0 1M");
    create(image, "third");
    delete(image, "first");
    QemuIo.of(image, "write -P 3 0 1M");
    monitor(image, "loadvm machine");
    QemuIo.of(image, "read -P 1 0 1M");

    apply(image, "second");
    QemuIo.of(image, "read -P 2 512k 1M");
    apply(image, "machine");
    QemuIo.of(image, "read -P 1 0 1M");
    monitor(image, "loadvm machine");
    monitor(image, "savevm again");
    delete(image, "machine");
    delete(image, "second");
    QemuIo.of(image, "write -P 4 0 1M");
    monitor(image, "loadvm again");
    QemuIo.of(image, "read -P 1 0 1M");
    delete(image, "again");
    delete(image, "third");
    assertThat(QemuImg.of("snapshot", "-l", image)).isEmpty();
  }

  /** Runs one command in a QEMU of its own; says nothing if all is well. */
  private static void monitor(Path image, String command) {
    try (QemuSystem qemu = QemuSystem.open(image)) {
      String answer =
          qemu.execute(
                  "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"%s\"}}"
                      .formatted(command))
              .asText();
      assertThat(answer).as(command).isEmpty();
    }
    QemuImg.checkClean(image);
  }

  private static void create(Path image, String name) throws IOException {
    try (SnapshotEditor editor = SnapshotEditor.open(image)) {
      editor.create(NewSnapshot.named(name, Instant.now()));
    }
    QemuImg.checkClean(image);
  }

  private static void apply(Path image, String name) throws IOException {
    try (SnapshotEditor editor = SnapshotEditor.open(image)) {
      editor.apply(name);
    }
    QemuImg.checkClean(image);
  }

  private static void delete(Path image, String name) throws IOException {
    try (SnapshotEditor editor = SnapshotEditor.open(image)) {
      editor.delete(name);
    }
    QemuImg.checkClean(image);
  }
}
