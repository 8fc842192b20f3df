package dev.cowbell.it.fuzz;

import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * One run of Jazzer, in a process of its own, until it finds something or comes to its end.
 *
 * @param executions how many inputs were tried
 * @param edges how many of the program's edges were reached
 * @param findings inputs that must not do what they do
 */
record JazzerRun(long executions, long edges, List<Path> findings, String output) {
  private static final Duration START = Duration.ofMinutes(2);

  /** An input that takes longer is a finding; loading instrumented classes takes long, too. */
  private static final int SECONDS_FOR_AN_INPUT = 100;

  private static final int MAX_INPUT = 128 << 10;
  private static final Pattern DONE = Pattern.compile("Done (\\d+) runs");
  private static final Pattern COVERAGE = Pattern.compile("cov: (\\d+)");

  /** When a run ends in which nothing is found. */
  sealed interface Length {
    String option();

    /** A run that takes longer hangs. */
    Duration most();
  }

  /** After so many inputs, however long that takes. */
  record Inputs(long count) implements Length {
    @Override
    public String option() {
      return "-runs=" + count;
    }

    @Override
    public Duration most() {
      return Duration.ofMinutes(8);
    }
  }

  /** After some time. */
  record Seconds(int count) implements Length {
    @Override
    public String option() {
      return "-max_total_time=" + count;
    }

    @Override
    public Duration most() {
      return Duration.ofSeconds(count);
    }
  }

  /**
   * Fuzzes a target.
   *
   * @param target a target's name; empty for all of them, named by the first byte of inputs
   * @param home a folder for what the run learns and finds; what it learned before is used
   * @param seeds a folder of well-formed inputs
   * @param length when it ends if nothing is found
   * @param seed of the fuzzer's random numbers
   */
  static JazzerRun of(String target, Path home, Path seeds, Length length, int seed)
      throws IOException {
    Path corpus = Files.createDirectories(home.resolve("corpus"));
    Path found = Files.createDirectories(home.resolve("found"));
    Set<Path> before = new HashSet<>(list(found));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx768m",
            "-XX:+UseSerialGC",
            "-XX:+EnableDynamicAgentLoading",
            "--enable-native-access=ALL-UNNAMED",
            "-D" + FuzzEntry.TARGET + "=" + target,
            "-cp",
            System.getProperty("java.class.path"),
            "com.code_intelligence.jazzer.Jazzer",
            "--target_class=" + FuzzEntry.class.getName(),
            "--instrumentation_includes=dev.cowbell.bitmaps.**:dev.cowbell.qcow2.**:dev.cowbell.agent.**:dev.cowbell.storage.**",
            "--custom_hook_includes=dev.cowbell.none.**",
            "--reproducer_path=" + found,
            "-artifact_prefix=" + found + "/",
            "-rss_limit_mb=0",
            "-timeout=" + SECONDS_FOR_AN_INPUT,
            "-max_len=" + MAX_INPUT,
            length.option(),
            "-seed=" + seed,
            "-print_final_stats=1",
            corpus.toString(),
            seeds.toString()));
    Shell.Result result =
        Shell.run(home, command, START.plus(length.most()).plusSeconds(SECONDS_FOR_AN_INPUT));
    Set<Path> after = new HashSet<>(list(found));
    after.removeAll(before);
    after.removeIf(file -> file.toString().endsWith(".java"));
    List<Path> findings = after.stream().sorted().toList();
    if (result.exit() != 0 && findings.isEmpty()) {
      throw new AssertionError("Jazzer ended with " + result.exit() + "\n" + told(result.err()));
    }
    return new JazzerRun(
        last(DONE, result.err()), last(COVERAGE, result.err()), findings, told(result.err()));
  }

  /** What Jazzer said, but for the hundreds of lines on the classes that it instruments. */
  private static String told(String output) {
    return output
        .lines()
        .filter(line -> !line.startsWith("INFO: Instrumented") && !line.startsWith("INFO: Loaded"))
        .collect(Collectors.joining("\n"));
  }

  private static Collection<Path> list(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  private static long last(Pattern pattern, String output) {
    Matcher matcher = pattern.matcher(output);
    long value = 0;
    while (matcher.find()) {
      value = Long.parseLong(matcher.group(1));
    }
    return value;
  }
}
