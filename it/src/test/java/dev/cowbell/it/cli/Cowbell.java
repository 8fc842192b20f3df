package dev.cowbell.it.cli;

import dev.cowbell.agent.cli.CommandRunner;
import dev.cowbell.agent.cli.Console;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.it.qemu.Shell;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** {@code cowbell}, run inside the test's own process. */
public final class Cowbell {

  private Cowbell() {}

  /** Runs a command line with an empty environment, and says how it went. */
  public static Shell.Result run(Object... arguments) {
    return runWith(Map.of(), arguments);
  }

  /** Runs a command line that has to succeed, and returns its standard output. */
  public static String of(Object... arguments) {
    return run(arguments).success();
  }

  /** Runs a command line, and says how it went. */
  public static Shell.Result runWith(Map<String, String> environment, Object... arguments) {
    List<String> command = new ArrayList<>();
    command.add("cowbell");
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console =
        new Console(
            new PrintStream(out, false, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false,
            name -> Optional.ofNullable(environment.get(name)),
            Clock.systemUTC(),
            ZoneId::systemDefault,
            new Cancellation());
    int exit =
        CommandRunner.run(console, command.subList(1, command.size()).toArray(String[]::new));
    return new Shell.Result(
        command, exit, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }
}
