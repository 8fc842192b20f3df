package dev.cowbell.agent.config;

import java.util.Optional;

/**
 * What is run around each run of a job.
 *
 * @param before runs first; when it fails, the run fails and nothing else is done
 * @param after runs last, whatever came of the run, unless {@code before} failed
 */
public record Hooks(Optional<HookCommand> before, Optional<HookCommand> after) {

  /** No hooks. */
  public static final Hooks NONE = new Hooks(Optional.empty(), Optional.empty());
}
