package dev.cowbell.agent.cli;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.VmName;

/** Turns words of the command line into checked names. */
final class Arguments {

  private Arguments() {}

  static VmName vm(String text) throws CommandFailedException {
    try {
      return new VmName(text);
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(String.valueOf(e.getMessage()));
    }
  }

  static DiskName disk(String text) throws CommandFailedException {
    try {
      return new DiskName(text);
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(String.valueOf(e.getMessage()));
    }
  }
}
