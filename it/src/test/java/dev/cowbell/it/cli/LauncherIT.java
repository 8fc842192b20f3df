package dev.cowbell.it.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program as a process, started by its launcher. */
final class LauncherIT {
  private static final Duration BUILD = Duration.ofMinutes(8);

  @TempDir private Path dir;

  @Test
  void runs_from_any_folder_through_a_link_and_with_spaces_in_arguments() throws IOException {
    Path link = Files.createSymbolicLink(dir.resolve("a link"), launcher());
    Shell.Result version = Shell.run(dir, List.of(link.toString(), "--version"), BUILD);
    assertThat(version.success()).matches("cowbell [0-9.]+(-SNAPSHOT)?\n");
    assertThat(version.err()).isEmpty();

    QemuImg.create(dir.resolve("my disk.qcow2"), "", 1 << 20);
    Shell.Result info =
        Shell.run(dir, List.of(link.toString(), "image", "info", "--json", "my disk.qcow2"), BUILD);
    assertThat(QemuImg.json(info.success()).path("filename").asText()).isEqualTo("my disk.qcow2");
    assertThat(info.err()).isEmpty();

    Shell.Result wrong = Shell.run(dir, List.of(link.toString(), "no such", "thing"), BUILD);
    assertThat(wrong.exit()).isEqualTo(2);
    assertThat(wrong.err()).hasLineCount(1).contains("\"no such\" is no command");
  }

  @Test
  void shows_times_in_the_users_time_zone() throws IOException {
    Path image = dir.resolve("disk.qcow2");
    QemuImg.create(image, "", 1 << 20);
    QemuImg.of("snapshot", "-c", "before", image);
    for (String zone : List.of("America/New_York", "Asia/Kolkata", "UTC")) {
      List<String> listing = List.of("image", "snapshot", "-l", image.toString());
      String ours = inZone(zone, launcher().toString(), listing);
      assertThat(ours).isEqualTo(inZone(zone, "qemu-img", listing.subList(1, 4)));
    }
  }

  private String inZone(String zone, String program, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of("env", "TZ=" + zone, program));
    command.addAll(arguments);
    return Shell.run(dir, command, BUILD).success();
  }

  @Test
  void an_interrupt_ends_it_with_130_and_nothing_left_behind() throws Exception {
    Shell.run(dir, List.of(launcher().toString(), "--version"), BUILD).success();
    byte[] noise = new byte[64 << 20];
    new Random(1).nextBytes(noise);
    Path source = dir.resolve("source.raw");
    for (int i = 0; i < 6; i++) {
      Files.write(
          source,
          noise,
          java.nio.file.StandardOpenOption.CREATE,
          java.nio.file.StandardOpenOption.APPEND);
    }
    Process process =
        new ProcessBuilder(
                launcher().toString(),
                "image",
                "convert",
                "-q",
                "-m",
                "1",
                "-c",
                "-O",
                "qcow2",
                source.toString(),
                dir.resolve("target.qcow2").toString())
            .start();
    while (process.isAlive() && pending().isEmpty()) {
      Thread.sleep(20);
    }
    Shell.run("kill", "-INT", process.pid()).success();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(130);
    try (InputStream err = process.getErrorStream()) {
      assertThat(new String(err.readAllBytes(), StandardCharsets.UTF_8))
          .isEqualTo("cowbell image convert: interrupted\n");
    }
    assertThat(pending()).isEmpty();
    assertThat(dir.resolve("target.qcow2")).doesNotExist();
  }

  private List<Path> pending() throws IOException {
    try (var files = Files.list(dir)) {
      return files.filter(file -> file.toString().endsWith(".pending")).toList();
    }
  }

  /** The launcher of the checkout that the tests run in. */
  private static Path launcher() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path launcher = at.resolve("agent/bin/cowbell");
      if (Files.exists(launcher)) {
        return launcher;
      }
    }
    throw new AssertionError("there is no agent/bin/cowbell above " + Path.of("").toAbsolutePath());
  }
}
