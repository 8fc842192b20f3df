package dev.cowbell.agent.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;

/** Where a secret is kept. The file never holds one itself, so that it can be shown to anybody. */
public sealed interface Secret {

  /** In an environment variable of the agent. */
  record InEnvironment(String variable) implements Secret {}

  /** In the first line of a file. */
  record InFile(Path file) implements Secret {}

  /** The longest secret that is read from a file, in bytes. */
  int MAX_LENGTH = 4096;

  /**
   * Looks the secret up.
   *
   * @param environment looks up an environment variable
   * @throws IOException when it is not where it should be
   */
  default String reveal(Function<String, Optional<String>> environment) throws IOException {
    return switch (this) {
      case InEnvironment(String variable) ->
          environment
              .apply(variable)
              .orElseThrow(
                  () -> new IOException("the environment variable " + variable + " is not set"));
      case InFile(Path file) -> {
        if (Files.size(file) > MAX_LENGTH) {
          throw new IOException(file + ": a secret has at most " + MAX_LENGTH + " bytes");
        }
        yield Files.readString(file).lines().findFirst().orElse("");
      }
    };
  }
}
