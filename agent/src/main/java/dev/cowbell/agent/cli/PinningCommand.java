package dev.cowbell.agent.cli;

import dev.cowbell.agent.prune.Pins;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.Repository;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Pins a point, or takes its pin away. */
abstract class PinningCommand extends CowbellCommand {

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(names = "--vm", paramLabel = "NAME", required = true, description = "Whose point it is.")
  private String vm = "";

  @Parameters(paramLabel = "POINT", description = "An id, the beginning of one, or latest.")
  private String point = "";

  /** What is to become of the point. */
  abstract boolean pinned();

  @Override
  protected final ExitCode run() throws Exception {
    try (Repository open = repository.open(console())) {
      Manifest now = new Pins(open).set(Arguments.vm(vm), point, pinned());
      PinReport.print(console().out(), output, now);
      return ExitCode.DONE;
    }
  }
}
