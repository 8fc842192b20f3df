package dev.cowbell.agent.cli;

import picocli.CommandLine.Command;

/** {@code cowbell pin}. */
@Command(name = "pin", description = "Keeps a point whatever the rules say: it is never pruned.")
final class PinCommand extends PinningCommand {
  @Override
  boolean pinned() {
    return true;
  }
}
