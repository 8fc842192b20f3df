package dev.cowbell.agent.config;

import java.time.Duration;
import java.util.List;

/**
 * A command that is run around each run of a job.
 *
 * @param command the program and its arguments; no shell looks at them
 * @param timeout how long it may take before it is killed
 */
public record HookCommand(List<String> command, Duration timeout) {

  public HookCommand {
    command = List.copyOf(command);
  }
}
