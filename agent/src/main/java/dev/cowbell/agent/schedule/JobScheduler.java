package dev.cowbell.agent.schedule;

import dev.cowbell.agent.repository.VmName;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.Trigger;
import org.quartz.TriggerKey;
import org.quartz.impl.matchers.GroupMatcher;

/**
 * Runs jobs when they are due. Runs of one VM never overlap, on any agent of the cluster; a run
 * that was cut short by the death of its agent is started again.
 *
 * <p>Thread-safe. Due times follow the machine's clock, because Quartz asks no other.
 */
public final class JobScheduler {

  private static final Duration POLL = Duration.ofMillis(50);
  private static final Duration CLEAN_UP = Duration.ofSeconds(30);

  private final Scheduler quartz;
  private final Dispatcher dispatcher;
  private final RunHistory history;
  private final Clock clock;
  private Map<JobName, JobSpec> jobs = Map.of();

  private JobScheduler(Scheduler quartz, Dispatcher dispatcher, RunHistory history, Clock clock) {
    this.quartz = quartz;
    this.dispatcher = dispatcher;
    this.history = history;
    this.clock = clock;
  }

  /**
   * Opens a scheduler that does nothing until {@link #start}.
   *
   * @param options how it works
   * @param runner does the work
   * @param history what ran before
   * @param listener is told what happens
   * @param clock decides about windows, jitter and retries
   * @throws IOException when the job store cannot be opened
   */
  public static JobScheduler open(
      SchedulerOptions options,
      JobRunner runner,
      RunHistory history,
      ScheduleEvent.Listener listener,
      Clock clock)
      throws IOException {
    Dispatcher dispatcher = new Dispatcher(runner, listener, clock, options.pace().slotWait());
    try {
      Scheduler quartz = QuartzFactory.create(options);
      quartz.setJobFactory((fired, scheduler) -> new VmJob(dispatcher));
      return new JobScheduler(quartz, dispatcher, history, clock);
    } catch (SchedulerException e) {
      throw new IOException("cannot open the scheduler: " + e.getMessage(), e);
    }
  }

  /**
   * Takes up {@code specs} in place of all jobs before. Triggers whose timing is unchanged stay as
   * they are, so what they missed is not forgotten; running jobs go on.
   *
   * @throws IllegalArgumentException when two jobs have one name
   */
  public synchronized void apply(Collection<JobSpec> specs) throws IOException {
    Map<JobName, JobSpec> byName = new TreeMap<>();
    for (JobSpec spec : specs) {
      if (byName.put(spec.name(), spec) != null) {
        throw new IllegalArgumentException("two jobs are named " + spec.name());
      }
    }
    try {
      dispatcher.use(byName.values());
      Set<VmName> vms = new HashSet<>();
      Set<TriggerKey> wanted = new HashSet<>();
      for (JobSpec job : byName.values()) {
        for (VmName vm : job.vms()) {
          if (vms.add(vm)) {
            quartz.addJob(Triggers.detail(vm), true);
          }
          wanted.add(Triggers.regularKey(job.name(), vm));
          wanted.add(Triggers.waitingKey(job.name(), vm));
          schedule(job, vm);
        }
      }
      removeAllBut(vms, wanted);
      jobs = byName;
    } catch (SchedulerException e) {
      throw new IOException("cannot write the schedule: " + e.getMessage(), e);
    }
  }

  private void schedule(JobSpec job, VmName vm) throws SchedulerException {
    TriggerKey key = Triggers.regularKey(job.name(), vm);
    Trigger present = quartz.getTrigger(key);
    if (present != null && Triggers.isDefinedBy(present, job)) {
      return;
    }
    Instant now = clock.instant();
    Instant from =
        present == null
            ? history.lastRun(job.name(), vm).filter(last -> last.isBefore(now)).orElse(now)
            : now;
    if (job.timing().after(from.minusSeconds(1)).isEmpty()) {
      quartz.unscheduleJob(key); // never due again
      return;
    }
    Triggers.put(quartz, Triggers.regular(job, vm, from));
  }

  private void removeAllBut(Set<VmName> vms, Set<TriggerKey> wanted) throws SchedulerException {
    for (String group : Set.of(Triggers.REGULAR_GROUP, Triggers.WAITING_GROUP)) {
      for (TriggerKey key : quartz.getTriggerKeys(GroupMatcher.triggerGroupEquals(group))) {
        if (!wanted.contains(key)) {
          quartz.unscheduleJob(key);
        }
      }
    }
    for (JobKey key : quartz.getJobKeys(GroupMatcher.jobGroupEquals(Triggers.VM_GROUP))) {
      if (!vms.contains(new VmName(key.getName()))) {
        quartz.deleteJob(key);
      }
    }
  }

  /** Begins to run what is due. */
  public void start() throws IOException {
    try {
      quartz.start();
    } catch (SchedulerException e) {
      throw new IOException("cannot start the scheduler: " + e.getMessage(), e);
    }
  }

  /**
   * Runs {@code job} for all its VMs as soon as there is room, whatever its windows say.
   *
   * @throws IllegalArgumentException when there is no such job
   */
  public synchronized void runNow(JobName job) throws IOException {
    JobSpec spec = jobs.get(job);
    if (spec == null) {
      throw new IllegalArgumentException("no job is named " + job);
    }
    Instant now = clock.instant();
    try {
      for (VmName vm : spec.vms()) {
        Triggers.put(
            quartz, Triggers.requested(new RunRequest(job, vm, RunReason.REQUESTED, now, 1), now));
      }
    } catch (SchedulerException e) {
      throw new IOException("cannot start " + job + ": " + e.getMessage(), e);
    }
  }

  /** What this agent runs at the moment. */
  public Set<RunRequest> running() {
    return dispatcher.running();
  }

  /**
   * Stops: starts nothing more, lets runs finish for {@code finishWithin}, then asks them to stop
   * and waits as long again, half a minute at least: a run cleans up behind itself.
   *
   * @return whether all runs came to an end
   */
  public boolean stop(Duration finishWithin) throws IOException, InterruptedException {
    try {
      dispatcher.close();
      quartz.standby();
      boolean idle = awaitIdle(finishWithin);
      if (!idle) {
        dispatcher.cancelAll();
        idle = awaitIdle(finishWithin.compareTo(CLEAN_UP) > 0 ? finishWithin : CLEAN_UP);
      }
      quartz.shutdown(idle);
      return idle;
    } catch (SchedulerException e) {
      throw new IOException("cannot stop the scheduler: " + e.getMessage(), e);
    }
  }

  private boolean awaitIdle(Duration limit) throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!dispatcher.running().isEmpty()) {
      if (System.nanoTime() - deadline >= 0) {
        return false;
      }
      Thread.sleep(POLL);
    }
    return true;
  }
}
