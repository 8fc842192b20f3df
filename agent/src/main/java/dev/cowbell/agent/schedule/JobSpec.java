package dev.cowbell.agent.schedule;

import dev.cowbell.agent.repository.VmName;
import java.time.Duration;
import java.util.List;

/**
 * What the scheduler needs to know of a job: whose turn it is when, and within what limits.
 *
 * @param name the job's name
 * @param vms the VMs it runs for, each in a run of its own
 * @param timing when it is due
 * @param jitter due runs start up to this much later, each VM at its own moment
 * @param misfire what becomes of missed runs
 * @param windows when runs may start
 * @param retry what to do when a run fails
 * @param concurrency how many of its VMs may run at once on one agent, at least 1
 */
public record JobSpec(
    JobName name,
    List<VmName> vms,
    Timing timing,
    Duration jitter,
    MisfirePolicy misfire,
    AllowedWindows windows,
    RetryPolicy retry,
    int concurrency) {

  public JobSpec {
    vms = List.copyOf(vms);
    if (jitter.isNegative() || concurrency < 1) {
      throw new IllegalArgumentException(name + ": jitter or concurrency out of range");
    }
  }
}
