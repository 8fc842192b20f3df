package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code image io} beside {@code qemu-io}: what both print, and what both leave. */
final class IoIT {

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "write -P 7 0 1536|read -v 0 40|read -P 7 0 1536|length|map|alloc 0 1M|alloc 4k|alloc 1M",
        "write 0x200 0x10|read -v 0x1f0 0x30|read 0.5k 1K|write -P0x41 1 5|read -v 0 20",
        "w -P 300 0 512|write 1x 5|write 1.5 2|write 0 1kb|write x 5|write 0 -5|read -Z 0 1",
        "read 1M 512|write 1M 512|write -z 1M 512|discard 1M 512|readv 1M 512|writev 1M 512",
        "read 0 3G|write 0 3G|discard 0 3G|readv 0 3G|read 9E 512|read 0 2147483136",
        "write -P 5 4k 4k|read -P 5 -s 4k -l 4k 0 64k|read -P 5 0 64k|read -P 1 -s 1k -l 2k 0 2k",
        "read -s 1k 0 2k|read -P 0 0 0|write 0 0|discard 0 0|read|write 5|length 7|truncate",
        "write -z 0 64k|map|write -z -u 0 128k|map|discard 0 64k|map|read -P 0 0 1M",
        "write -u 0 512|write -n 0 512|write -z -P 3 0 512|write -b -z 0 512|write -f -c 0 64k",
        "write -b 1 512|read -b 1 512|write -c 1 512|write -c 0 5|write -f 0 512|write -q 0 512",
        "writev -P 9 512 1k 512|readv -P 9 512 512 1k|readv -v 512 16|aio_write -P 3 8k 1k 1k",
        "aio_read -P 3 8k 2k|aio_flush|aio_write -u 0 512|aio_write -z -P 1 0 512|aio_flush|aio_read 0 x",
        "aio_write -z 0 64k|aio_flush|aio_write -u -z 0 64k|aio_flush|writev 0|readv 0|writev x 1|writev 0 512 x",
        "write -s nofile 0 512|write -s ${dir}/empty 0 512|write -s ${dir}/abc 0 20|read -v 0 20",
        "sleep x|sleep|sleep 1|help read write|help foo|nonsense|quit|length",
        "flush|f|l|info|alloc x|alloc 0 x|alloc 1|alloc 0 2M|truncate x|truncate -m bad 2M|t 1000",
        "write -P 5|read -P|write -- 0 512|write 0 -P 5 512|discard -q 0 64k|discard 0",
        "write -c -P 7 0 64k|write -c -P 8 64k 128k|read -P 8 64k 128k|write -P 1 70k 1k|read -P 8 72k 99k",
        "truncate 2M|length|write -P 1 1536k 64k|truncate 512k|length|truncate 1M|read -P 0 512k 512k|map",
        "write -P 1 0 1M|write -P 2 100k 300k|discard 128k 128k|write -z 300k 10k|read -P 0 128k 128k",
      })
  void prints_what_qemu_io_prints(String script) throws Exception {
    Files.createFile(dir.resolve("empty"));
    Files.writeString(dir.resolve("abc"), "abc");
    List<String> commands = List.of(script.replace("${dir}", dir.toString()).split("\\|"));
    for (String format : List.of("qcow2", "raw")) {
      if (format.equals("raw") && script.contains("write -c")) {
        continue;
      }
      Path ours = image("ours", format);
      Path theirs = image("theirs", format);
      Shell.Result expected = QemuIo.run(List.of("-f", format), theirs, commands);
      Shell.Result found = io(List.of("-f", format), ours, commands);
      assertThat(normalised(found.out())).as(format).isEqualTo(normalised(expected.out()));
      assertThat(found.exit()).as(found.toString()).isEqualTo(expected.exit());
      QemuImg.assertSame(ours, format, theirs, format);
      if (format.equals("qcow2")) {
        QemuImg.checkClean(ours);
      }
    }
  }

  @Test
  void complaints_of_the_parser_are_qemu_ios_too() throws Exception {
    List<String> commands = List.of("foo", "write", "write 0 -5", "truncate -m bad 5", "length x");
    Shell.Result expected = QemuIo.run(List.of("-f", "raw"), image("theirs", "raw"), commands);
    Shell.Result found = io(List.of("-f", "raw"), image("ours", "raw"), commands);
    assertThat(found.err().replace("cowbell image io: ", ""))
        .isEqualTo(expected.err().replace("qemu-io: ", ""));
  }

  @Test
  void refuses_every_change_of_what_is_open_for_reading() throws Exception {
    List<String> commands =
        List.of("write 0 512", "discard 0 512", "truncate 5", "aio_write 0 512", "writev 0 512");
    for (String format : List.of("qcow2", "raw")) {
      Path image = image("ours", format);
      byte[] before = Files.readAllBytes(image);
      for (String command : commands) {
        Shell.Result found = io(List.of("-r", "-f", format), image, List.of(command, "read 0 512"));
        assertThat(found.exit()).isEqualTo(1);
        assertThat(found.err()).contains("Block node is read-only");
        assertThat(found.out()).startsWith("read 512/512 bytes at offset 0");
      }
      assertThat(Files.readAllBytes(image)).isEqualTo(before);
    }
  }

  @Test
  void compresses_nothing_where_an_external_data_file_holds_the_data() throws Exception {
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "data_file=" + dir.resolve("data"), 1 << 20);
    List<String> commands = List.of("write -c -P 3 0 64k", "read -P 0 0 64k");
    Shell.Result expected = QemuIo.run(List.of("-f", "qcow2"), image, commands);
    Shell.Result found = io(List.of("-f", "qcow2"), image, commands);
    assertThat(found.exit()).isEqualTo(expected.exit()).isEqualTo(1);
    assertThat(found.out()).startsWith("write failed: ").contains("read 65536/65536");
    assertThat(expected.out()).startsWith("write failed: ").contains("read 65536/65536");
  }

  @Test
  void a_request_that_fails_asynchronously_fails_the_command_too() throws Exception {
    Shell.Result found = io(List.of("-f", "raw"), image("ours", "raw"), List.of("aio_read 1M 512"));
    assertThat(found.out()).isEqualTo("readv failed: Input/output error\n");
    assertThat(found.exit()).isEqualTo(1);
  }

  @Test
  void machine_readable_lines_have_qemu_ios_fields() throws Exception {
    Shell.Result found = io(List.of("-f", "raw"), image("ours", "raw"), List.of("write -C 0 1k"));
    assertThat(found.out()).matches("1024,1,0:00:00\\.\\d\\d,\\d+\\.\\d{3},\\d+\\.\\d{3}\n");
  }

  @Test
  void raw_disks_are_cut_off_and_grown() throws Exception {
    Path image = image("ours", "raw");
    Shell.Result found =
        io(List.of("-f", "raw"), image, List.of("truncate 5k", "length", "truncate 2M", "length"));
    assertThat(found.success()).isEqualTo("5 KiB\n2 MiB\n");
    assertThat(Files.size(image)).isEqualTo(2 << 20);
  }

  private Path image(String name, String format) throws IOException {
    Path image = dir.resolve(name + "." + format);
    Files.deleteIfExists(image);
    if (format.equals("raw")) {
      Files.write(image, new byte[1 << 20]);
    } else {
      QemuImg.create(image, "cluster_size=64k", 1 << 20);
    }
    return image;
  }

  private static Shell.Result io(List<String> options, Path image, List<String> commands) {
    List<Object> words = new ArrayList<>(List.of("image", "io"));
    words.addAll(options);
    for (String command : commands) {
      words.add("-c");
      words.add(command);
    }
    words.add(image);
    return Cowbell.run(words.toArray());
  }

  /** Without times and speeds. */
  private static String normalised(String out) {
    return new String(out.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8)
        .replaceAll("ops; .*", "ops; TIME");
  }
}
