package dev.cowbell.agent.cli;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A command gives up for a reason that it knows. */
public final class CommandFailedException extends Exception {
  private static final long serialVersionUID = 1L;

  private final ExitCode exitCode;
  private final @Nullable String hint;

  private CommandFailedException(ExitCode exitCode, String message, @Nullable String hint) {
    super(message);
    this.exitCode = exitCode;
    this.hint = hint;
  }

  /** What, where, what was found and what is allowed, in one line. */
  public static CommandFailedException because(ExitCode exitCode, String message) {
    return new CommandFailedException(exitCode, message, null);
  }

  /** A wrong combination of options or a wrong value. */
  public static CommandFailedException usage(String message) {
    return because(ExitCode.USAGE, message);
  }

  /** The same failure with what the user may do about it. */
  public CommandFailedException hint(String advice) {
    return new CommandFailedException(exitCode, String.valueOf(getMessage()), advice);
  }

  public ExitCode exitCode() {
    return exitCode;
  }

  /** What the user may do about it. */
  public Optional<String> hint() {
    return Optional.ofNullable(hint);
  }
}
