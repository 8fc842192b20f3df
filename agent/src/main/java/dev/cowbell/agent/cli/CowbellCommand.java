package dev.cowbell.agent.cli;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/**
 * A command: reads its options, calls one use case, prints what came of it. Options that all
 * commands have ({@code -q}, {@code -v}, {@code --progress}, {@code --help}) come from {@link
 * Cowbell}.
 */
public abstract class CowbellCommand implements Callable<Integer> {

  @Spec private CommandSpec spec;

  /**
   * Does the command's work.
   *
   * @throws Exception whatever went wrong; {@code Failure} makes a line and an exit code of it
   */
  protected abstract ExitCode run() throws Exception;

  /**
   * The exit code for a failure, where a command differs from the rest.
   *
   * @param usual what other commands end with
   */
  protected ExitCode exitCodeOf(ExitCode usual) {
    return usual;
  }

  @Override
  public final Integer call() throws Exception {
    return run().code();
  }

  protected final Console console() {
    return root().console();
  }

  /** Where to tell how far the command is; silent unless somebody watches. */
  protected final Progress progress() {
    return progress(false);
  }

  /** The same for a command with an option of its own that asks for progress. */
  protected final Progress progress(boolean askedFor) {
    return root().progress(askedFor);
  }

  protected final Cancellation cancellation() {
    return console().cancellation();
  }

  /** Whether {@code -q} asks for nothing but results and errors. */
  protected final boolean isQuiet() {
    return root().isQuiet();
  }

  /** The console of the command that a mix-in belongs to. */
  public static Console consoleOf(CommandSpec mixee) {
    return ((Cowbell) mixee.root().userObject()).console();
  }

  private Cowbell root() {
    return (Cowbell) spec.root().userObject();
  }
}
