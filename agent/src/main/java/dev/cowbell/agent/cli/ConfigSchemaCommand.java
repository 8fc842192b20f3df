package dev.cowbell.agent.cli;

import dev.cowbell.agent.config.ConfigSchema;
import picocli.CommandLine.Command;

/** {@code cowbell config schema}. */
@Command(
    name = "schema",
    description = "Prints the JSON Schema of the configuration file, for editors.")
final class ConfigSchemaCommand extends CowbellCommand {

  @Override
  protected ExitCode run() {
    console().out().print(ConfigSchema.document());
    return ExitCode.DONE;
  }
}
