package dev.cowbell.agent.cli;

import picocli.CommandLine.Command;

/** {@code cowbell config}. */
@Command(name = "config", description = "The agent's configuration file.")
@Subcommands({ConfigCheckCommand.class, ConfigSchemaCommand.class})
final class ConfigCommand extends CommandGroup {}
