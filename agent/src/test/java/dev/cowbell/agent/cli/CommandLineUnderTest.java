package dev.cowbell.agent.cli;

import dev.cowbell.agent.observe.Cancellation;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.Optional;

/** Runs command lines in process and keeps what they print. */
public final class CommandLineUnderTest {

  /**
   * What a command left behind.
   *
   * @param exitCode as the process would end
   * @param out its standard output
   * @param err its standard error
   */
  public record Result(int exitCode, String out, String err) {}

  private CommandLineUnderTest() {}

  /** Runs one command line with an empty environment. */
  public static Result cowbell(String... args) {
    return cowbell(Map.of(), args);
  }

  /** Runs one command line. */
  public static Result cowbell(Map<String, String> environment, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console =
        new Console(
            new PrintStream(out, false, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false,
            name -> Optional.ofNullable(environment.get(name)),
            Clock.systemUTC(),
            () -> ZoneOffset.UTC,
            new Cancellation());
    int exitCode = CommandRunner.run(console, args);
    return new Result(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }
}
