package dev.cowbell.agent.schedule;

import dev.cowbell.agent.repository.VmName;
import java.time.Instant;

/**
 * One run of a job for one VM.
 *
 * @param job the job
 * @param vm the VM
 * @param reason why it runs
 * @param due when it was due; for a request, when it was asked for
 * @param attempt counted from 1
 */
public record RunRequest(JobName job, VmName vm, RunReason reason, Instant due, int attempt) {

  RunRequest as(RunReason other) {
    return new RunRequest(job, vm, other, due, attempt);
  }

  RunRequest nextAttempt() {
    return new RunRequest(job, vm, RunReason.RETRY, due, attempt + 1);
  }
}
