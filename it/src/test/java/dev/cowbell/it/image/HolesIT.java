package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of images whose places for data are holes of the host file. */
class HolesIT {
  private static final long SIZE = 20 << 20;

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "preallocation=off",
        "preallocation=metadata",
        "preallocation=falloc",
        "preallocation=full",
        "preallocation=metadata,extended_l2=on",
        "preallocation=falloc,extended_l2=on",
        "preallocation=metadata,cluster_size=4k",
        "preallocation=metadata,compat=0.10"
      })
  void a_preallocated_image_is_described_as_qemu_does(String options) {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, options, SIZE);
    assertAlike(image, "qcow2");
    QemuIo.of(image, "write -q -P 5 1M 70k", "write -q -z 4M 256k", "write -q -P 6 9M 3M");
    assertAlike(image, "qcow2");
    Path overlay = dir.resolve("overlay.qcow2");
    QemuImg.of("create", "-f", "qcow2", "-b", image, "-F", "qcow2", overlay);
    QemuIo.of(overlay, "write -q -P 5 3M 128k");
    assertAlike(overlay, "qcow2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"off", "metadata", "falloc", "full"})
  void an_image_with_a_data_file_is_described_as_qemu_does(String preallocation) {
    Path image = dir.resolve("image.qcow2");
    String options =
        "preallocation=%s,data_file=%s,data_file_raw=on"
            .formatted(preallocation, dir.resolve("data"));
    QemuImg.create(image, options, SIZE);
    QemuIo.of(image, "write -q -P 5 1M 70k", "write -q -z 4M 256k");
    assertAlike(image, "qcow2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"off", "falloc", "full"})
  void a_raw_image_is_described_as_qemu_does(String preallocation) {
    Path image = dir.resolve("image.raw");
    QemuImg.of("create", "-f", "raw", "-o", "preallocation=" + preallocation, image, SIZE);
    QemuIo.run(List.of("-f", "raw"), image, List.of("write -q -P 5 1M 128k", "write -q 5000k 3k"));
    assertAlike(image, "raw");
  }

  @Test
  void a_snapshot_of_a_preallocated_image_is_measured_as_qemu_does() {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "preallocation=metadata", SIZE);
    QemuIo.of(image, "write -q -P 5 1M 70k");
    QemuImg.of("snapshot", "-c", "then", image);
    QemuIo.of(image, "write -q -P 6 9M 3M");
    same("measure", "--output=json", "-O", "qcow2", "-l", "then", image);
    assertAlike(image, "qcow2");
  }

  private void assertAlike(Path image, String format) {
    same("map", "--output=json", "-f", format, image);
    same("measure", "--output=json", "-f", format, "-O", "qcow2", image);
    Object[] text = {"map", "-f", format, image};
    assertThat(ours(text)).isEqualTo(QemuImg.of(text));
    Object[] info = {"info", "--output=json", "-f", format, image};
    JsonNode theirs = QemuImg.json(QemuImg.of(info));
    assertThat(QemuImg.json(ours(info)).get("actual-size")).isEqualTo(theirs.get("actual-size"));
  }

  private static void same(Object... command) {
    assertThat(QemuImg.json(ours(command)))
        .as("%s", List.of(command))
        .isEqualTo(QemuImg.json(QemuImg.of(command)));
  }

  private static String ours(Object... command) {
    List<Object> words = new ArrayList<>(List.of(command));
    words.addFirst("image");
    return Cowbell.of(words.toArray());
  }
}
