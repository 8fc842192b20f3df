package dev.cowbell.agent.cli;

import picocli.CommandLine.Command;

/** {@code cowbell unpin}. */
@Command(name = "unpin", description = "Lets the rules decide about a point again.")
final class UnpinCommand extends PinningCommand {
  @Override
  boolean pinned() {
    return false;
  }
}
