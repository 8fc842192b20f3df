package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program in the README is compiled and run as it stands there. */
final class ReadmeSampleIT {
  private static final Pattern SAMPLE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

  @TempDir private Path dir;

  @Test
  void the_program_in_the_readme_does_what_it_says() throws IOException {
    Matcher sample = SAMPLE.matcher(Files.readString(Path.of("..", "README.md")));
    assertThat(sample.find()).isTrue();
    Path source = Files.writeString(dir.resolve("Greeting.java"), sample.group(1));
    Path image = dir.resolve("image.qcow2");
    QemuImg.create(image, "", 1 << 20);
    QemuIo.of(image, "write -P 3 0 64k");

    String printed =
        Shell.run(
                Path.of(System.getProperty("java.home"), "bin", "java"),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                source,
                image)
            .success();

    assertThat(printed).startsWith("hello\n").contains("DATA", "UNALLOCATED");
    QemuImg.checkClean(image);
    QemuIo.of(image, "read -P 104 4096 1", "read -P 111 4100 1", "read -P 3 4101 100");
    assertThat(QemuImg.info(image).at("/snapshots/0/name").asText()).isEqualTo("before");
    QemuImg.of("snapshot", "-a", "before", image);
    QemuIo.of(image, List.of("read -P 3 0 64k"));
  }
}
