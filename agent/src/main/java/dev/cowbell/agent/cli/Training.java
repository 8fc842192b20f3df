package dev.cowbell.agent.cli;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.Optional;

/**
 * Runs a few typical commands so that the virtual machine learns which classes a start needs; the
 * launcher makes a class cache of what it learned. Prints nothing and leaves nothing behind.
 */
final class Training {

  private Training() {}

  public static void main(String[] args) {
    Console nowhere =
        new Console(
            new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
            new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
            false,
            _ -> Optional.empty(),
            Clock.systemUTC(),
            new dev.cowbell.agent.observe.Cancellation());
    CommandRunner.run(nowhere, "--version");
    CommandRunner.run(nowhere, "--help");
    CommandRunner.run(nowhere, "image");
    Main.main(new String[] {"--version"});
  }
}
