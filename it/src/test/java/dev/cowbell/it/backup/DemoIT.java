package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoIT {

  @TempDir private Path scratch;

  @Test
  void the_demo_shows_the_main_job_and_qemu_agrees() {
    Path folder = scratch.resolve("demo");
    String shown = Cowbell.of("demo", "--keep", folder);
    assertThat(shown).contains("in full").contains("incrementally").contains("no damage");
    QemuImg.checkClean(folder.resolve("vda.qcow2"));
    TestRepository repository =
        new TestRepository(folder.resolve("repository").toString(), java.util.Map.of());
    String newest =
        QemuImg.json(repository.run("points", "--json").success())
            .get("points")
            .get(1)
            .get("id")
            .asText();
    Path overlay = folder.resolve("repository/vms/demo/disks/vda/" + newest + ".qcow2");
    QemuImg.checkClean(overlay);
    QemuImg.assertSame(overlay, "qcow2", folder.resolve("vda.qcow2"), "qcow2");
  }
}
