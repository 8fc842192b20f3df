package dev.cowbell.agent.daemon;

import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunReason;
import dev.cowbell.agent.schedule.RunRequest;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Runs one job of a configuration once, VM after VM, with its retries and without a scheduler. */
public final class OneJob {

  private static final Duration POLL = Duration.ofMillis(200);

  private final Configuration configuration;
  private final BackupRunner runner;
  private final Clock clock;
  private final Cancellation cancellation;

  /**
   * @param observer is told of each run
   * @param version of Cowbell
   */
  public OneJob(
      Configuration configuration,
      RunObserver observer,
      Clock clock,
      String version,
      Cancellation cancellation) {
    this.configuration = configuration;
    Repositories repositories = new Repositories(clock);
    repositories.limit(configuration.agent().bytesPerSecond());
    this.runner =
        new BackupRunner(
            () -> configuration,
            repositories,
            RunObserver.all(List.of(observer, new RunLog())),
            clock,
            version);
    this.clock = clock;
    this.cancellation = cancellation;
  }

  /**
   * Runs it.
   *
   * @return how the last attempt for each VM ended
   * @throws IllegalArgumentException when there is no such job
   */
  public Map<VmName, RunOutcome> run(JobName name) throws InterruptedException {
    Configuration.Job job = configuration.jobs().get(name);
    if (job == null) {
      throw new IllegalArgumentException("no job is named " + name);
    }
    Map<VmName, RunOutcome> outcomes = new LinkedHashMap<>();
    for (VmName vm : job.spec().vms()) {
      outcomes.put(vm, run(job, vm));
    }
    return outcomes;
  }

  private RunOutcome run(Configuration.Job job, VmName vm) throws InterruptedException {
    Instant due = clock.instant();
    for (int attempt = 1; ; attempt++) {
      RunRequest request =
          new RunRequest(
              job.spec().name(),
              vm,
              attempt == 1 ? RunReason.REQUESTED : RunReason.RETRY,
              due,
              attempt);
      RunOutcome outcome =
          cancellation.isRequested() ? new RunOutcome.Stopped() : runner.run(request, cancellation);
      Optional<Duration> wait =
          outcome instanceof RunOutcome.Failed failed && failed.again() == RunOutcome.Again.MAY_HELP
              ? job.spec().retry().waitAfter(attempt)
              : Optional.empty();
      if (wait.isEmpty()) {
        return outcome;
      }
      await(wait.get());
    }
  }

  private void await(Duration wait) throws InterruptedException {
    long end = System.nanoTime() + wait.toNanos();
    while (System.nanoTime() - end < 0 && !cancellation.isRequested()) {
      Thread.sleep(POLL);
    }
  }
}
