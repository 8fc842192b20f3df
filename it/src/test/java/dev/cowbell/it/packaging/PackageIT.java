package dev.cowbell.it.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Installs what {@code agent/packaging/build} makes, and uses it where there is no JDK. */
final class PackageIT {

  @TempDir private static Path packages;

  @BeforeAll
  static void build() {
    Shell.Result built =
        Shell.run(
            Path.of("..").toAbsolutePath(),
            List.of("agent/packaging/build", packages.toString()),
            Duration.ofMinutes(8));
    built.success();
  }

  @Test
  void the_archive_runs_wherever_it_is_unpacked(@TempDir Path folder) throws IOException {
    Shell.runIn(folder, "tar", "-xzf", only(".tar.gz")).success();
    Path home = only(folder);
    use(home.resolve("bin/cowbell"), folder);
    assertThat(home.resolve("share/examples/cowbell-agent.service")).isRegularFile();
  }

  @Test
  void the_debian_package_installs_runs_and_goes_away(@TempDir Path root) throws IOException {
    Path database = Files.createDirectories(root.resolve("var/lib/dpkg"));
    Files.createDirectories(database.resolve("info"));
    Files.createDirectories(database.resolve("updates"));
    Files.createFile(database.resolve("status"));
    Path log = root.resolve("dpkg.log");
    List<String> dpkg =
        List.of(
            "dpkg",
            "--root=" + root,
            "--log=" + log,
            "--force-not-root",
            "--force-depends",
            "--force-script-chrootless",
            "--force-bad-path");
    run(dpkg, "-i", only(".deb").toString()).success();
    assertThat(Shell.run("dpkg-query", "--admindir=" + database, "-W", "cowbell").success())
        .startsWith("cowbell\t");
    use(root.resolve("usr/bin/cowbell"), root);
    Path unit = root.resolve("lib/systemd/system/cowbell-agent.service");
    assertThat(Files.readString(unit))
        .contains("Type=notify", "ExecStart=/usr/bin/cowbell agent --config");
    assertThat(root.resolve("usr/share/doc/cowbell/copyright")).isRegularFile();
    run(dpkg, "-r", "cowbell").success();
    assertThat(root.resolve("usr/lib/cowbell")).doesNotExist();
    assertThat(root.resolve("usr/bin/cowbell")).doesNotExist();
  }

  private static Shell.Result run(List<String> dpkg, String... arguments) {
    return Shell.run(
        Path.of("").toAbsolutePath(),
        Stream.concat(dpkg.stream(), Stream.of(arguments)).toList(),
        Duration.ofMinutes(2));
  }

  /** Runs it as a user would who has no Java at all. */
  private static void use(Path cowbell, Path folder) {
    List<String> alone = List.of("env", "-i", "PATH=/usr/bin:/bin", cowbell.toString());
    Duration limit = Duration.ofMinutes(2);
    assertThat(
            Shell.run(folder, Stream.concat(alone.stream(), Stream.of("--version")).toList(), limit)
                .success())
        .startsWith("cowbell ");
    assertThat(
            Shell.run(folder, Stream.concat(alone.stream(), Stream.of("demo")).toList(), limit)
                .success())
        .contains("SHA-256 is the original's", "no damage");
    assertThat(
            Shell.run(
                    folder,
                    Stream.concat(
                            alone.stream(),
                            Stream.of("init", "--repo", "s3://x/y?endpoint=nowhere"))
                        .toList(),
                    limit)
                .failure())
        .as("the S3 client is there, too")
        .contains("endpoint")
        .doesNotContain("Exception", "NoClassDef");
  }

  private static Path only(String suffix) throws IOException {
    try (Stream<Path> files = Files.list(packages)) {
      return files.filter(file -> file.toString().endsWith(suffix)).findFirst().orElseThrow();
    }
  }

  private static Path only(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(Files::isDirectory).findFirst().orElseThrow();
    }
  }
}
