package dev.cowbell.it.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Lets Jazzer look for inputs that do what no input may do: so many of them in all targets at once,
 * and with {@code cowbell.fuzz.seconds} for that long in each, or in the one that {@code
 * cowbell.fuzz.target} names. Settings: {@code cowbell.seed}, and {@code cowbell.fuzz.home}, a
 * folder that keeps what was learned.
 */
final class FuzzIT {
  private static final String SECONDS = "cowbell.fuzz.seconds";
  private static final String ONLY = FuzzEntry.TARGET;
  private static final long SHORT_RUN = 800;
  private static final int SEED = Integer.getInteger("cowbell.seed", 1);

  @TempDir private Path scratch;

  @Test
  void a_short_run_finds_no_input_that_does_harm() throws IOException {
    Path seeds = Files.createDirectories(scratch.resolve("seeds"));
    for (FuzzTarget target : FuzzTarget.values()) {
      int number = 0;
      for (byte[] input : inputs(target)) {
        Files.write(seeds.resolve(target.folder() + number), FuzzEntry.marked(target, input));
        number++;
      }
    }
    assertHarmless(
        "", Files.createDirectory(scratch.resolve("home")), seeds, new JazzerRun.Inputs(SHORT_RUN));
  }

  static Stream<FuzzTarget> wanted() {
    String only = System.getProperty(ONLY, "");
    return Integer.getInteger(SECONDS) == null
        ? Stream.empty()
        : Stream.of(FuzzTarget.values())
            .filter(target -> only.isEmpty() || target.name().equals(only));
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("wanted")
  void a_long_run_finds_no_input_that_does_harm(FuzzTarget target) throws IOException {
    Path home =
        Path.of(System.getProperty("cowbell.fuzz.home", scratch.resolve("home").toString()))
            .resolve(target.folder())
            .toAbsolutePath();
    Files.createDirectories(home);
    Path seeds = Files.createDirectories(scratch.resolve("seeds"));
    int number = 0;
    for (byte[] input : inputs(target)) {
      Files.write(seeds.resolve("seed" + number), input);
      number++;
    }
    assertHarmless(target.name(), home, seeds, new JazzerRun.Seconds(Integer.getInteger(SECONDS)));
  }

  /** Well-formed inputs, and those that once did harm. */
  private List<byte[]> inputs(FuzzTarget target) throws IOException {
    Path files = Files.createDirectories(scratch.resolve("for-" + target.folder()));
    List<byte[]> inputs = new ArrayList<>(target.seeds(files));
    for (Path kept : KeptInputs.of(target)) {
      inputs.add(Files.readAllBytes(kept));
    }
    return inputs;
  }

  private static void assertHarmless(String target, Path home, Path seeds, JazzerRun.Length length)
      throws IOException {
    JazzerRun run = JazzerRun.of(target, home, seeds, length, SEED);
    System.out.printf(
        "fuzz %s: %d inputs, %d edges, %d findings%n",
        target.isEmpty() ? "all" : target, run.executions(), run.edges(), run.findings().size());
    assertThat(run.findings()).as("seed %d%n%s", SEED, run.output()).isEmpty();
    assertThat(run.executions()).as(run.output()).isPositive();
    assertThat(run.edges()).as(run.output()).isPositive();
  }
}
