package dev.cowbell.agent.schedule;

import dev.cowbell.agent.observe.Cancellation;

/** Does the work of a run. Called on several threads at once, never twice at once for one VM. */
@FunctionalInterface
public interface JobRunner {

  /**
   * Runs to the end.
   *
   * @param request what to run
   * @param cancellation asks the run to stop at the next safe place
   * @return how it ended
   * @throws Exception counts as a failure that another attempt may help
   */
  RunOutcome run(RunRequest request, Cancellation cancellation) throws Exception;
}
