package dev.cowbell.agent.cli.image;

import static dev.cowbell.agent.cli.CommandLineUnderTest.cowbell;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ImageCommandTest {

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"bitmap", "check", "compare", "convert", "dirty", "info", "map"})
  void has_help_and_wants_its_arguments(String command) {
    var help = cowbell("image", command, "--help");
    assertThat(help.exitCode()).isZero();
    assertThat(help.out()).startsWith("Usage: cowbell image " + command);
    assertThat(help.err()).isEmpty();

    var without = cowbell("image", command);
    assertThat(without.exitCode()).isEqualTo(command.equals("check") ? 1 : 2);
    assertThat(without.out()).isEmpty();
    assertThat(without.err()).startsWith("cowbell image " + command + ": ").hasLineCount(1);
  }

  @ParameterizedTest
  @CsvSource({
    "create -f qcow2 -o help, cluster_size=, 512 to 2M",
    "create -f qcow2 -o ? a.qcow2 1M, preallocation=, metadata",
    "create -o size=1M -o help, preallocation=, falloc",
    "convert -O qcow2 -o help, compression_type=, zstd",
    "convert -O qcow2 -o cluster_size=1k -o help a b, compression_type=, zstd",
    "measure -O qcow2 -o help, refcount_bits=, 64",
    "amend -o help, compat=, 1.1"
  })
  void lists_the_options_that_it_takes(String command, String option, String allowed) {
    var result = cowbell(("image " + command).split(" "));
    assertThat(result.exitCode()).as(command).isZero();
    assertThat(result.err()).isEmpty();
    assertThat(result.out().lines())
        .anySatisfy(line -> assertThat(line).startsWith("  " + option).contains(" - ", allowed));
  }

  /** Whatever is listed is an option that is known. */
  @ParameterizedTest
  @ValueSource(strings = {"create -f qcow2", "create -f raw", "amend"})
  void lists_no_option_that_it_does_not_take(String command) {
    var listed = cowbell(("image " + command + " -o help").split(" "));
    List<String> keys =
        listed.out().lines().skip(1).map(line -> line.strip().split("=", 2)[0]).toList();
    assertThat(keys).hasSizeGreaterThan(3);
    for (String key : keys) {
      String file = dir.resolve("none").resolve("image").toString();
      var result = cowbell(("image " + command + " -o " + key + "=? " + file).split(" "));
      assertThat(result.err())
          .as(key)
          .doesNotContain("unknown option", "can't be amended", "no such option");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "6, info",
    "6, info --json",
    "6, map",
    "6, dirty %s b",
    "6, bitmap --add %s b",
    "6, convert %s out.raw",
    "1, check",
    "2, compare %s %s"
  })
  void a_missing_file_is_one_line(int exitCode, String command) {
    String missing = dir.resolve("none.qcow2").toString();
    String line = command.contains("%s") ? command.replace("%s", missing) : command + " " + missing;
    var result = cowbell(("image " + line).split(" "));
    assertThat(result.exitCode()).as(line).isEqualTo(exitCode);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).hasLineCount(1).contains("none.qcow2: no such file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-O vmdk",
        "-O qcow2 -o cluster_size=3k",
        "-O qcow2 -o cluster_size=4M",
        "-O qcow2 -o refcount_bits=3",
        "-O qcow2 -o compat=0.9",
        "-O qcow2 -o nonsense=1",
        "-O qcow2 -o preallocation=some",
        "-O qcow2 -o data_file_raw=on",
        "-O qcow2 -c -o data_file=x",
        "-O qcow2 --level 3",
        "-O qcow2 -c --level 10",
        "-O raw -o cluster_size=64k",
        "-O raw -o preallocation=metadata",
        "-O raw --bitmaps",
        "-O qcow2 --skip-broken-bitmaps",
        "--target-is-zero",
        "-r 0",
        "-t sometimes",
        "-O qcow2 -o compat=0.10,compression_type=zstd",
        "-O qcow2 -o extended_l2=maybe",
        "-O qcow2 -o cluster_size=8k,extended_l2=on",
        "-O qcow2 -n",
        "-O qcow2 -n -c",
        "-O qcow2 -B base.qcow2",
        "-O raw -c",
        "-m 0",
        "-m 17",
        "-S 3000",
        "-S 4M",
        "-l snap"
      })
  void convert_refuses_what_makes_no_sense_and_leaves_the_target_alone(String options)
      throws IOException {
    Path source = Files.write(dir.resolve("source.raw"), new byte[1024]);
    Path target = Files.writeString(dir.resolve("target"), "precious");
    String[] words = ("image convert -f raw " + options + " " + source + " " + target).split(" ");
    var result = cowbell(words);
    assertThat(result.exitCode()).as(options).isIn(1, 2);
    assertThat(result.err()).as(options).hasLineCount(1).doesNotContain("internal error");
    assertThat(target).hasContent("precious");
    assertThat(dir).isDirectoryNotContaining(f -> f.toString().endsWith(".pending"));
  }

  @Test
  void convert_replaces_the_target_and_keeps_what_a_link_to_it_names() throws IOException {
    Path source = Files.write(dir.resolve("source.raw"), "x".repeat(1024).getBytes(UTF_8));
    Path target = Files.writeString(dir.resolve("target.raw"), "old");
    Path link = Files.createSymbolicLink(dir.resolve("link.raw"), target);
    var result = cowbell("image", "convert", "-f", "raw", source.toString(), link.toString());
    assertThat(result.err()).isEmpty();
    assertThat(result.exitCode()).isZero();
    assertThat(link).isSymbolicLink();
    assertThat(target).hasSameBinaryContentAs(source);
  }

  @Test
  void what_is_no_image_is_told_in_one_line() throws IOException {
    Path file = Files.writeString(dir.resolve("x.qcow2"), "QFI\u00fb");
    for (String command : new String[] {"check", "dirty", "info -f qcow2", "map -f qcow2"}) {
      String line = "image " + command + " " + file + (command.equals("dirty") ? " b" : "");
      var result = cowbell(line.split(" "));
      assertThat(result.exitCode()).as(line).isEqualTo(1);
      assertThat(result.err()).as(line).hasLineCount(1).contains(file.toString());
    }
  }

  private static final java.nio.charset.Charset UTF_8 = java.nio.charset.StandardCharsets.UTF_8;
}
