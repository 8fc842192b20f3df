package dev.cowbell.agent.cli;

import dev.cowbell.agent.retention.CalendarSpan;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Runs one command line and keeps the rules that hold for every command. */
public final class CommandRunner {

  private final Cowbell cowbell;
  private final CommandLine commands;

  private CommandRunner(Console console, String... args) throws Exception {
    cowbell = new Cowbell(console);
    commands =
        CommandTree.of(cowbell, args)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setOverwrittenOptionsAllowed(true)
            .setPosixClusteredShortOptionsAllowed(true)
            .setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8))
            .setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8))
            .registerConverter(ByteSize.class, text -> converted(() -> ByteSize.parse(text)))
            .registerConverter(
                Instant.class, text -> converted(() -> Times.parse(text, console.zone().get())))
            .registerConverter(CalendarSpan.class, text -> converted(() -> span(text)))
            .registerConverter(ZoneId.class, text -> converted(() -> ZoneId.of(text)))
            .setExecutionStrategy(this::execute)
            .setParameterExceptionHandler((e, _) -> usageError(e))
            .setExecutionExceptionHandler((e, at, _) -> failed(e, at));
    commands.getCommandSpec().versionProvider(() -> new String[] {Version.line()});
  }

  /**
   * Runs a command line in this process.
   *
   * @return the exit code
   */
  public static int run(Console console, String... args) {
    int code;
    try {
      code = new CommandRunner(console, args).commands.execute(args);
    } catch (Throwable unexpected) {
      Failure failure = Failure.of(unexpected);
      console.err().println(failure.line("cowbell"));
      code = failure.exitCode().code();
    }
    if (console.out().checkError() && code == ExitCode.DONE.code()) {
      console.err().println("cowbell: standard output could not be written");
      code = ExitCode.FAILED.code();
    }
    return code;
  }

  private int execute(ParseResult parsed) {
    cowbell.logLevel().apply();
    return new CommandLine.RunLast().execute(parsed);
  }

  private int usageError(ParameterException e) {
    CommandLine at = e.getCommandLine();
    String name = at.getCommandSpec().qualifiedName();
    return report(
        new Failure(ExitCode.USAGE, problem(e), Optional.of("see " + name + " --help")), e, at);
  }

  private static String problem(ParameterException e) {
    CommandLine at = e.getCommandLine();
    if (e instanceof UnmatchedArgumentException unmatched
        && !unmatched.isUnknownOption()
        && !at.getSubcommands().isEmpty()) {
      String word = unmatched.getUnmatched().getFirst();
      List<String> alike = unmatched.getSuggestions();
      return "\"%s\" is no command of %s%s"
          .formatted(
              OneLine.of(word),
              at.getCommandSpec().qualifiedName(),
              alike.isEmpty() ? "" : "; alike: " + String.join(", ", alike));
    }
    return String.valueOf(e.getMessage());
  }

  private int failed(Throwable thrown, CommandLine at) {
    return report(Failure.of(thrown), thrown, at);
  }

  private int report(Failure failure, Throwable thrown, CommandLine at) {
    ExitCode exitCode =
        at.getCommand() instanceof CowbellCommand command
            ? command.exitCodeOf(failure.exitCode())
            : failure.exitCode();
    Console console = cowbell.console();
    console.err().println(failure.line(at.getCommandSpec().qualifiedName()));
    if (cowbell.showsStackTraces()) {
      thrown.printStackTrace(console.err());
    }
    return exitCode.code();
  }

  private static CalendarSpan span(String text) {
    try {
      return CalendarSpan.parse(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("\"%s\" %s".formatted(text, e.getMessage()), e);
    }
  }

  private static <T> T converted(Supplier<T> parse) {
    try {
      return parse.get();
    } catch (IllegalArgumentException | DateTimeException e) {
      throw new TypeConversionException(String.valueOf(e.getMessage()));
    }
  }
}
