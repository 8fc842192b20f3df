package dev.cowbell.agent.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.RunOutcome.Again;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Runs the real Quartz in memory. Jobs run by request where waiting for a minute would be long. */
final class JobSchedulerTest {

  private static final JobName JOB = new JobName("job");
  private static final SchedulerOptions.Pace FAST =
      new SchedulerOptions.Pace(
          Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofMillis(100));

  private final List<JobScheduler> opened = new ArrayList<>();
  private final List<ScheduleEvent> events = new CopyOnWriteArrayList<>();

  @AfterEach
  void stop() throws Exception {
    for (JobScheduler scheduler : opened) {
      scheduler.stop(Duration.ofSeconds(10));
    }
  }

  @Test
  void runs_a_job_on_request_once_for_each_vm() throws Exception {
    List<RunRequest> runs = new CopyOnWriteArrayList<>();
    JobScheduler scheduler = open(4, (request, _) -> done(runs.add(request)));
    scheduler.apply(List.of(job("job", 4, "a", "b", "c")));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> finished() == 3);
    assertThat(runs).extracting(run -> run.vm().value()).containsExactlyInAnyOrder("a", "b", "c");
    assertThat(runs).allMatch(run -> run.reason() == RunReason.REQUESTED && run.attempt() == 1);
  }

  @Test
  void a_vm_is_never_run_twice_at_once_whichever_jobs_ask_for_it() throws Exception {
    Map<VmName, AtomicInteger> atOnce = new ConcurrentHashMap<>();
    AtomicInteger most = new AtomicInteger();
    JobScheduler scheduler =
        open(
            8,
            (request, _) -> {
              AtomicInteger count = atOnce.computeIfAbsent(request.vm(), vm -> new AtomicInteger());
              most.accumulateAndGet(count.incrementAndGet(), Math::max);
              Thread.sleep(Duration.ofMillis(100));
              count.decrementAndGet();
              return new RunOutcome.Done();
            });
    List<JobSpec> jobs = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      jobs.add(job("job" + i, 8, "a", "b"));
    }
    scheduler.apply(jobs);
    scheduler.start();
    for (JobSpec spec : jobs) {
      scheduler.runNow(spec.name());
    }
    await(() -> finished() == 10);
    assertThat(most).hasValue(1);
  }

  @Test
  void no_more_runs_of_a_job_go_on_than_it_allows_and_none_is_forgotten() throws Exception {
    AtomicInteger now = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    JobScheduler scheduler =
        open(
            8,
            (_, _) -> {
              most.accumulateAndGet(now.incrementAndGet(), Math::max);
              Thread.sleep(Duration.ofMillis(150));
              now.decrementAndGet();
              return new RunOutcome.Done();
            });
    scheduler.apply(List.of(job("job", 2, "a", "b", "c", "d", "e", "f")));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> finished() == 6);
    assertThat(most.get()).isBetween(1, 2);
  }

  @Test
  void a_failed_run_is_tried_again_up_to_the_limit() throws Exception {
    List<Integer> attempts = new CopyOnWriteArrayList<>();
    JobScheduler scheduler =
        open(
            1,
            (request, _) -> {
              attempts.add(request.attempt());
              if (request.attempt() == 1) {
                throw new IOException("thrown");
              }
              return new RunOutcome.Failed("said", Again.MAY_HELP);
            });
    scheduler.apply(List.of(job("job", 1, "a")));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> finished() == 3);
    Thread.sleep(Duration.ofMillis(300));
    assertThat(attempts).containsExactly(1, 2, 3);
  }

  @Test
  void a_hopeless_failure_is_not_tried_again() throws Exception {
    JobScheduler scheduler = open(1, (_, _) -> new RunOutcome.Failed("no", Again.HOPELESS));
    scheduler.apply(List.of(job("job", 1, "a")));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> finished() == 1);
    Thread.sleep(Duration.ofMillis(300));
    assertThat(finished()).isEqualTo(1);
  }

  @Test
  void what_was_missed_before_the_start_is_made_up_for_once() throws Exception {
    List<RunRequest> runs = new CopyOnWriteArrayList<>();
    JobScheduler scheduler =
        open(
            1,
            (request, _) -> done(runs.add(request)),
            (_, _) -> Optional.of(Clock.systemUTC().instant().minus(Duration.ofDays(3))));
    scheduler.apply(List.of(job("job", 1, "a")));
    scheduler.start();
    await(() -> finished() == 1);
    assertThat(runs).singleElement().extracting(RunRequest::reason).isEqualTo(RunReason.CATCH_UP);
  }

  @Test
  void what_was_missed_is_left_out_where_the_job_says_so() throws Exception {
    JobScheduler scheduler =
        open(
            1,
            (_, _) -> new RunOutcome.Done(),
            (_, _) -> Optional.of(Clock.systemUTC().instant().minus(Duration.ofDays(3))));
    JobSpec job = job("job", 1, "a");
    scheduler.apply(
        List.of(
            new JobSpec(
                job.name(),
                job.vms(),
                job.timing(),
                job.jitter(),
                MisfirePolicy.SKIP,
                job.windows(),
                job.retry(),
                1)));
    scheduler.start();
    Thread.sleep(Duration.ofMillis(2500));
    assertThat(events).isEmpty();
  }

  @Test
  void new_jobs_are_taken_up_while_one_runs() throws Exception {
    CountDownLatch first = new CountDownLatch(1);
    JobScheduler scheduler =
        open(
            2,
            (request, _) -> {
              if (request.vm().value().equals("a")) {
                assertThat(first.await(20, TimeUnit.SECONDS)).isTrue();
              }
              return new RunOutcome.Done();
            });
    scheduler.apply(List.of(job("job", 1, "a")));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> scheduler.running().size() == 1);
    scheduler.apply(List.of(job("other", 1, "b")));
    scheduler.runNow(new JobName("other"));
    await(() -> finished() == 1);
    first.countDown();
    await(() -> finished() == 2);
    assertThatThrownBy(() -> scheduler.runNow(JOB))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("no job is named job");
  }

  @Test
  void stopping_lets_runs_finish() throws Exception {
    JobScheduler scheduler =
        open(
            1,
            (_, cancellation) -> {
              Thread.sleep(Duration.ofMillis(500));
              return cancellation.isRequested() ? new RunOutcome.Stopped() : new RunOutcome.Done();
            });
    scheduler.apply(List.of(job("job", 1, "a")));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> scheduler.running().size() == 1);
    assertThat(scheduler.stop(Duration.ofSeconds(20))).isTrue();
    assertThat(events.getLast())
        .isInstanceOfSatisfying(
            ScheduleEvent.Finished.class,
            end -> assertThat(end.outcome()).isEqualTo(new RunOutcome.Done()));
  }

  @Test
  void stopping_asks_runs_to_stop_that_take_too_long() throws Exception {
    JobScheduler scheduler =
        open(
            1,
            (_, cancellation) -> {
              while (!cancellation.isRequested()) {
                Thread.sleep(Duration.ofMillis(10));
              }
              return new RunOutcome.Stopped();
            });
    scheduler.apply(List.of(job("job", 1, "a")));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> scheduler.running().size() == 1);
    assertThat(scheduler.stop(Duration.ofMillis(500))).isTrue();
    assertThat(finished()).isEqualTo(1);
  }

  @Test
  void a_job_that_is_never_due_can_still_be_asked_for() throws Exception {
    JobScheduler scheduler = open(1, (_, _) -> new RunOutcome.Done());
    JobSpec job = job("job", 1, "a");
    scheduler.apply(
        List.of(
            new JobSpec(
                job.name(),
                job.vms(),
                CronTiming.parse("0 0 30 2 *", ZoneOffset.UTC),
                job.jitter(),
                job.misfire(),
                job.windows(),
                job.retry(),
                1)));
    scheduler.start();
    scheduler.runNow(JOB);
    await(() -> finished() == 1);
  }

  private JobScheduler open(int concurrency, JobRunner runner) throws IOException {
    return open(concurrency, runner, RunHistory.NONE);
  }

  private JobScheduler open(int concurrency, JobRunner runner, RunHistory history)
      throws IOException {
    JobScheduler scheduler =
        JobScheduler.open(
            new SchedulerOptions("test", "agent", concurrency, new JobStore.Memory(), FAST),
            runner,
            history,
            events::add,
            Clock.systemUTC());
    opened.add(scheduler);
    return scheduler;
  }

  /** Due once a year, so that nothing happens by itself during a test. */
  private static JobSpec job(String name, int concurrency, String... vms) {
    Instant soon = Clock.systemUTC().instant().minus(Duration.ofDays(1));
    int month = soon.atZone(ZoneOffset.UTC).getMonthValue();
    int day = soon.atZone(ZoneOffset.UTC).getDayOfMonth();
    return new JobSpec(
        new JobName(name),
        List.of(vms).stream().map(VmName::new).toList(),
        CronTiming.parse("0 0 " + Math.min(day, 28) + " " + month + " *", ZoneOffset.UTC),
        Duration.ZERO,
        MisfirePolicy.RUN_ONCE,
        AllowedWindows.always(ZoneOffset.UTC),
        new RetryPolicy(3, Duration.ofMillis(50), Duration.ofMillis(50)),
        concurrency);
  }

  private static RunOutcome done(boolean added) {
    assertThat(added).isTrue();
    return new RunOutcome.Done();
  }

  private long finished() {
    return events.stream().filter(ScheduleEvent.Finished.class::isInstance).count();
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    for (int i = 0; i < 1000; i++) {
      if (condition.getAsBoolean()) {
        return;
      }
      Thread.sleep(Duration.ofMillis(20));
    }
    assertThat(condition.getAsBoolean()).isTrue();
  }
}
