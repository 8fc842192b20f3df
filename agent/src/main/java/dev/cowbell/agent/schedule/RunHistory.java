package dev.cowbell.agent.schedule;

import dev.cowbell.agent.repository.VmName;
import java.time.Instant;
import java.util.Optional;

/** Knows when a job last ran for a VM, so that runs missed while no agent was up are noticed. */
@FunctionalInterface
public interface RunHistory {

  /** Knows nothing: what was missed before the start stays missed. */
  RunHistory NONE = (job, vm) -> Optional.empty();

  /** When the last successful run of {@code job} for {@code vm} began. */
  Optional<Instant> lastRun(JobName job, VmName vm);
}
