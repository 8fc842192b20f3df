package dev.cowbell.agent.schedule;

import dev.cowbell.agent.observe.Cancellation;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.quartz.JobExecutionContext;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.TriggerKey;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a trigger that fired, decides by {@link StartRules} what becomes of it, runs it, and writes
 * down what follows: a retry, or a later start. Whatever is put off is a trigger in the job store,
 * so it outlives this agent if the store does.
 */
final class Dispatcher {

  private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);

  /** How long a run waits that this agent's configuration does not know (yet, or any more). */
  private static final Duration UNKNOWN_JOB_WAIT = Duration.ofMinutes(1);

  private final JobRunner runner;
  private final ScheduleEvent.Listener listener;
  private final Clock clock;
  private final Duration slotWait;
  private final Slots slots = new Slots();
  private final Map<RunRequest, Cancellation> running = new ConcurrentHashMap<>();
  private volatile Map<JobName, JobSpec> jobs = Map.of();
  private volatile boolean closed;

  /**
   * @param slotWait how long a run waits before it looks again for a free place of its job
   */
  Dispatcher(JobRunner runner, ScheduleEvent.Listener listener, Clock clock, Duration slotWait) {
    this.runner = runner;
    this.listener = listener;
    this.clock = clock;
    this.slotWait = slotWait;
  }

  void use(Iterable<JobSpec> specs) {
    Map<JobName, JobSpec> byName = new TreeMap<>();
    specs.forEach(spec -> byName.put(spec.name(), spec));
    jobs = Map.copyOf(byName);
  }

  Set<RunRequest> running() {
    return Set.copyOf(running.keySet());
  }

  /** Starts nothing more. What fires nevertheless is put off, for an agent that still works. */
  void close() {
    closed = true;
  }

  /** Asks all runs to stop. */
  void cancelAll() {
    running.values().forEach(Cancellation::request);
  }

  void onFired(JobExecutionContext fired) throws SchedulerException {
    RunRequest request = Triggers.request(fired);
    Scheduler scheduler = fired.getScheduler();
    JobSpec job = jobs.get(request.job());
    Instant now = clock.instant();
    if (closed) { // Quartz fires once more after standby when all its threads were busy
      putOff(scheduler, request, now, "an agent to run it");
      return;
    }
    if (job == null || !job.vms().contains(request.vm())) {
      putOff(scheduler, request, now.plus(UNKNOWN_JOB_WAIT), "no such job is configured here");
      return;
    }
    StartDecision decision =
        Triggers.isRegular(fired) && !fired.isRecovering()
            ? StartRules.ofRegular(job, request, request.due(), Triggers.previous(fired), now)
            : StartRules.ofWaiting(job, request.reason(), now);
    switch (decision) {
      case StartDecision.Skip(String why) -> listener.on(new ScheduleEvent.Skipped(request, why));
      case StartDecision.Later(RunReason reason, Instant at, String why) ->
          putOff(scheduler, request.as(reason), at, why);
      case StartDecision.Now(RunReason reason) ->
          startIfFree(scheduler, fired.getTrigger().getKey(), job, request.as(reason));
    }
  }

  private void startIfFree(Scheduler scheduler, TriggerKey firedBy, JobSpec job, RunRequest request)
      throws SchedulerException {
    if (!slots.tryTake(job.name(), job.concurrency())) {
      putOff(scheduler, request, clock.instant().plus(slotWait), "other VMs of its job");
      return;
    }
    try {
      TriggerKey waiting = Triggers.waitingKey(request.job(), request.vm());
      if (!waiting.equals(firedBy)) {
        scheduler.unscheduleJob(waiting); // this run makes up for it
      }
      follow(scheduler, job, request, start(request));
    } finally {
      slots.giveBack(job.name());
    }
  }

  private RunOutcome start(RunRequest request) {
    Cancellation cancellation = new Cancellation();
    running.put(request, cancellation);
    listener.on(new ScheduleEvent.Started(request));
    RunOutcome outcome;
    try {
      outcome = runner.run(request, cancellation);
    } catch (Exception e) {
      LOG.debug("{} of {} failed", request.job(), request.vm(), e);
      outcome = new RunOutcome.Failed(String.valueOf(e.getMessage()), RunOutcome.Again.MAY_HELP);
    } finally {
      running.remove(request);
    }
    listener.on(new ScheduleEvent.Finished(request, outcome));
    return outcome;
  }

  private void follow(Scheduler scheduler, JobSpec job, RunRequest request, RunOutcome outcome)
      throws SchedulerException {
    switch (outcome) {
      case RunOutcome.Done() -> {}
      case RunOutcome.Stopped() ->
          putOff(scheduler, request.as(RunReason.RECOVERED), clock.instant(), "an agent to run it");
      case RunOutcome.Failed(String why, RunOutcome.Again again) -> {
        Optional<Duration> wait =
            again == RunOutcome.Again.MAY_HELP
                ? job.retry().waitAfter(request.attempt())
                : Optional.empty();
        if (wait.isPresent()) {
          putOff(scheduler, request.nextAttempt(), clock.instant().plus(wait.get()), why);
        }
      }
    }
  }

  private void putOff(Scheduler scheduler, RunRequest request, Instant until, String why)
      throws SchedulerException {
    Triggers.put(scheduler, Triggers.waiting(request, until));
    listener.on(new ScheduleEvent.PutOff(request, until, why));
  }
}
