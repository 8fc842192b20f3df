package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a file is must not be guessed from bytes that a guest or an accident can have written. */
class ImageFormatIT {

  @TempDir private Path scratch;

  private Shell.Result backup(Path image, String... options) {
    Path repository = scratch.resolve("repository");
    Cowbell.of("init", "--repo", repository);
    Object[] arguments = new Object[6 + options.length];
    Object[] fixed = {"backup", "--repo", repository, "--vm", "vm", image};
    System.arraycopy(fixed, 0, arguments, 0, fixed.length);
    System.arraycopy(options, 0, arguments, fixed.length, options.length);
    return Cowbell.run(arguments);
  }

  @Test
  void a_qcow2_image_whose_header_was_lost_is_not_backed_up_as_raw_bytes() throws IOException {
    Path image = scratch.resolve("vda.qcow2");
    Files.write(image, new byte[65536]);
    Shell.Result refused = backup(image);
    assertThat(refused.exit()).isEqualTo(2);
    assertThat(refused.err()).contains("vda.qcow2 is called qcow2", "--format raw").hasLineCount(1);
    assertThat(backup(image, "--format", "raw").exit()).isZero();
  }

  @Test
  void a_raw_disk_on_which_a_guest_wrote_a_qcow2_header_stays_raw() throws IOException {
    Path header = scratch.resolve("header.qcow2");
    QemuImg.of("create", "-q", "-f", "qcow2", header, "1M");
    Path disk = scratch.resolve("vda.raw");
    Files.copy(header, disk);
    Shell.Result refused = backup(disk);
    assertThat(refused.exit()).isEqualTo(2);
    assertThat(refused.err()).contains("vda.raw is called raw", "--format").hasLineCount(1);
    assertThat(backup(disk, "--format", "raw").exit()).isZero();
  }
}
