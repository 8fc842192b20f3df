package dev.cowbell.agent.schedule;

import dev.cowbell.agent.repository.VmName;
import java.time.Instant;
import java.util.Date;
import java.util.Optional;
import org.quartz.JobBuilder;
import org.quartz.JobDataMap;
import org.quartz.JobDetail;
import org.quartz.JobExecutionContext;
import org.quartz.JobKey;
import org.quartz.ObjectAlreadyExistsException;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.TriggerKey;

/**
 * How runs are written into Quartz. A VM is a Quartz job, which never runs twice at once, on any
 * agent; a Cowbell job is a trigger on each of its VMs. Data is strings only, so that a database
 * holds no serialized objects.
 */
final class Triggers {

  static final String VM_GROUP = "vm";
  static final String REGULAR_GROUP = "regular";
  static final String WAITING_GROUP = "waiting";
  static final String REQUESTED_GROUP = "requested";

  private static final String JOB = "job";
  private static final String DEFINITION = "definition";
  private static final String REASON = "reason";
  private static final String DUE = "due";
  private static final String ATTEMPT = "attempt";

  private Triggers() {}

  static JobKey vm(VmName vm) {
    return new JobKey(vm.value(), VM_GROUP);
  }

  static JobDetail detail(VmName vm) {
    return JobBuilder.newJob(VmJob.class)
        .withIdentity(vm(vm))
        .storeDurably()
        .requestRecovery()
        .build();
  }

  static TriggerKey regularKey(JobName job, VmName vm) {
    return key(job, vm, REGULAR_GROUP);
  }

  static TriggerKey waitingKey(JobName job, VmName vm) {
    return key(job, vm, WAITING_GROUP);
  }

  private static TriggerKey key(JobName job, VmName vm, String group) {
    return new TriggerKey(job + "/" + vm, group);
  }

  /** The trigger for the due times of {@code job}, noticing what was missed since {@code from}. */
  static Trigger regular(JobSpec job, VmName vm, Instant from) {
    return TriggerBuilder.newTrigger()
        .withIdentity(regularKey(job.name(), vm))
        .forJob(vm(vm))
        .withSchedule(TimingTrigger.of(job.timing(), job.misfire()))
        .startAt(Date.from(from))
        .usingJobData(JOB, job.name().value())
        .usingJobData(DEFINITION, definition(job))
        .build();
  }

  /** What a regular trigger is made of; another definition needs another trigger. */
  static String definition(JobSpec job) {
    return job.timing().text() + " " + job.timing().zone().getId() + " " + job.misfire();
  }

  static boolean isDefinedBy(Trigger trigger, JobSpec job) {
    return definition(job).equals(trigger.getJobDataMap().getString(DEFINITION));
  }

  /** A run that waits for its moment. There is one at most for a job and VM. */
  static Trigger waiting(RunRequest request, Instant at) {
    return once(waitingKey(request.job(), request.vm()), request, at);
  }

  /** A run that somebody asked for. */
  static Trigger requested(RunRequest request, Instant now) {
    return once(key(request.job(), request.vm(), REQUESTED_GROUP), request, now);
  }

  private static Trigger once(TriggerKey key, RunRequest request, Instant at) {
    return TriggerBuilder.newTrigger()
        .withIdentity(key)
        .forJob(vm(request.vm()))
        .withSchedule(
            SimpleScheduleBuilder.simpleSchedule().withMisfireHandlingInstructionFireNow())
        .startAt(Date.from(at))
        .usingJobData(JOB, request.job().value())
        .usingJobData(REASON, request.reason().name())
        .usingJobData(DUE, Long.toString(request.due().toEpochMilli()))
        .usingJobData(ATTEMPT, Integer.toString(request.attempt()))
        .build();
  }

  /**
   * Stores {@code trigger} in place of one with its key; another agent may do so at the same time.
   */
  static void put(Scheduler scheduler, Trigger trigger) throws SchedulerException {
    if (scheduler.rescheduleJob(trigger.getKey(), trigger) != null) {
      return;
    }
    try {
      scheduler.scheduleJob(trigger);
    } catch (ObjectAlreadyExistsException _) {
      scheduler.rescheduleJob(trigger.getKey(), trigger);
    }
  }

  /** The run that the trigger which just fired stands for. */
  static RunRequest request(JobExecutionContext fired) {
    JobDataMap data = fired.getTrigger().getJobDataMap();
    RunRequest request =
        new RunRequest(
            new JobName(data.getString(JOB)),
            new VmName(fired.getJobDetail().getKey().getName()),
            data.containsKey(REASON)
                ? RunReason.valueOf(data.getString(REASON))
                : RunReason.SCHEDULED,
            data.containsKey(DUE)
                ? Instant.ofEpochMilli(Long.parseLong(data.getString(DUE)))
                : due(fired),
            data.containsKey(ATTEMPT) ? Integer.parseInt(data.getString(ATTEMPT)) : 1);
    return fired.isRecovering() ? request.as(RunReason.RECOVERED) : request;
  }

  private static Instant due(JobExecutionContext fired) {
    Optional<String> original =
        Optional.ofNullable(
            fired
                .getTrigger()
                .getJobDataMap()
                .getString(
                    Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_SCHEDULED_FIRETIME_IN_MILLISECONDS));
    return original
        .map(millis -> Instant.ofEpochMilli(Long.parseLong(millis)))
        .orElseGet(() -> fired.getScheduledFireTime().toInstant());
  }

  /**
   * Whether the trigger that fired is one for due times, rather than a run put off or asked for.
   */
  static boolean isRegular(JobExecutionContext fired) {
    return fired.getTrigger().getKey().getGroup().equals(REGULAR_GROUP);
  }

  /** The due time before the one that fired, or else when the trigger began to count. */
  static Optional<Instant> previous(JobExecutionContext fired) {
    return Optional.ofNullable(fired.getPreviousFireTime())
        .or(() -> Optional.ofNullable(fired.getTrigger().getStartTime()))
        .map(Date::toInstant);
  }
}
