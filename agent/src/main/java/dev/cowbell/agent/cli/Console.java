package dev.cowbell.agent.cli;

import dev.cowbell.agent.observe.Cancellation;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.ZoneId;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * All that a command has to do with the process it runs in, handed in so that tests run commands
 * without one.
 *
 * @param out results: human text or one JSON document
 * @param err everything else
 * @param errIsTerminal whether somebody watches {@code err}
 * @param environment looks up an environment variable
 * @param clock the time of day
 * @param zone what times and days without a zone of their own mean, and how they are shown; only
 *     asked for when needed, since zones take long to load
 * @param cancellation set when the user wants the command to stop
 */
public record Console(
    PrintStream out,
    PrintStream err,
    boolean errIsTerminal,
    Function<String, Optional<String>> environment,
    Clock clock,
    Supplier<ZoneId> zone,
    Cancellation cancellation) {

  private static final int OUT_BUFFER = 1 << 16;

  /** Set by the launcher: the JDK can't tell whether standard error alone is a terminal. */
  private static final String ERR_IS_TERMINAL = "cowbell.stderr.terminal";

  /** The real process. Output is buffered: flush {@code out} before the process ends. */
  static Console ofProcess() {
    return new Console(
        new PrintStream(
            new java.io.BufferedOutputStream(new FileOutputStream(FileDescriptor.out), OUT_BUFFER),
            false,
            StandardCharsets.UTF_8),
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        Boolean.getBoolean(ERR_IS_TERMINAL),
        name -> Optional.ofNullable(System.getenv(name)),
        Clock.systemUTC(),
        ZoneId::systemDefault,
        new Cancellation());
  }

  /** Says what went wrong while a command goes on, in one line on {@code err}. */
  public void complain(String command, String complaint) {
    err.println(command + ": " + OneLine.of(complaint));
  }

  /** Says something that deserves a look, in one line on {@code err}. */
  public void warn(String warning) {
    err.println("warning: " + OneLine.of(warning));
  }
}
