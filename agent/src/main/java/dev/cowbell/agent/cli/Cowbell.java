package dev.cowbell.agent.cli;

import dev.cowbell.agent.cli.image.ImageCommand;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.observe.TerminalProgress;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The root of all commands, and the options they share. */
@Command(
    name = "cowbell",
    description = "Scheduled, incremental backups of QEMU/KVM disks as plain qcow2 overlays.",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT)
@Subcommands({
  InitCommand.class,
  BackupCommand.class,
  PointsCommand.class,
  AgentCommand.class,
  StatusCommand.class,
  RunCommand.class,
  ConfigCommand.class,
  RestoreCommand.class,
  VerifyCommand.class,
  DiffCommand.class,
  PruneCommand.class,
  PinCommand.class,
  UnpinCommand.class,
  UnlockCommand.class,
  DemoCommand.class,
  ImageCommand.class,
})
final class Cowbell extends CommandGroup {

  private static final int DEFAULT_COLUMNS = 80;

  private enum ProgressWhen {
    AUTO,
    ALWAYS,
    NEVER
  }

  private final Console console;

  @Option(
      names = {"-q", "--quiet"},
      scope = ScopeType.INHERIT,
      description = "Print only results and errors.")
  private boolean quiet;

  private int verbosity;

  @Option(
      names = "--progress",
      scope = ScopeType.INHERIT,
      paramLabel = "auto|always|never",
      description = "Show progress; auto: when standard error is a terminal.")
  private ProgressWhen progressWhen = ProgressWhen.AUTO;

  Cowbell(Console console) {
    this.console = console;
  }

  @Option(
      names = {"-v", "--verbose"},
      scope = ScopeType.INHERIT,
      description = "Log more; -vv: everything, and where an error comes from.")
  void setVerbose(boolean[] given) {
    verbosity = Math.max(verbosity, given.length);
  }

  Console console() {
    return console;
  }

  boolean isQuiet() {
    return quiet;
  }

  boolean showsStackTraces() {
    return verbosity >= 2;
  }

  LogLevel logLevel() {
    return quiet
        ? LogLevel.ERROR
        : switch (verbosity) {
          case 0 -> LogLevel.WARN;
          case 1 -> LogLevel.INFO;
          default -> LogLevel.DEBUG;
        };
  }

  /**
   * Where to tell progress.
   *
   * @param askedFor whether the command's own options ask for it
   */
  Progress progress(boolean askedFor) {
    boolean shown =
        switch (progressWhen) {
          case ALWAYS -> true;
          case NEVER -> false;
          case AUTO -> !quiet && (askedFor || console.errIsTerminal());
        };
    return shown ? new TerminalProgress(console.err(), columns()) : Progress.NONE;
  }

  private int columns() {
    return console
        .environment()
        .apply("COLUMNS")
        .filter(c -> c.matches("[1-9][0-9]{1,3}"))
        .map(Integer::parseInt)
        .orElse(DEFAULT_COLUMNS);
  }
}
