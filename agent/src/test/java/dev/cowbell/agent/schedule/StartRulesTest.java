package dev.cowbell.agent.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.repository.VmName;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class StartRulesTest {

  private static final Instant DUE = Instant.parse("2026-11-20T22:00:00Z");
  private static final RunRequest REQUEST = request("web");

  @Test
  void a_due_run_starts() {
    assertThat(regular(job("", Duration.ZERO), DUE, DUE))
        .isEqualTo(new StartDecision.Now(RunReason.SCHEDULED));
  }

  @Test
  void a_run_due_outside_of_its_windows_is_left_out() {
    assertThat(regular(job("01:00-02:00", Duration.ZERO), DUE, DUE))
        .isInstanceOf(StartDecision.Skip.class);
  }

  @Test
  void a_run_that_got_late_waits_for_the_next_window() {
    assertThat(regular(job("22:00-22:30", Duration.ZERO), DUE, DUE.plusSeconds(3600)))
        .isEqualTo(
            new StartDecision.Later(
                RunReason.SCHEDULED, Instant.parse("2026-11-21T22:00:00Z"), "its window"));
  }

  @Test
  void jitter_is_within_its_limit_and_differs_between_vms_but_not_between_agents() {
    Set<Instant> starts = new HashSet<>();
    for (int i = 0; i < 200; i++) {
      RunRequest request = request("vm" + i);
      StartDecision decision =
          StartRules.ofRegular(
              job("", Duration.ofMinutes(10)), request, DUE, Optional.empty(), DUE);
      assertThat(
              StartRules.ofRegular(
                  job("", Duration.ofMinutes(10)), request, DUE, Optional.empty(), DUE))
          .isEqualTo(decision);
      Instant at =
          switch (decision) {
            case StartDecision.Later later -> later.at();
            case StartDecision.Now now -> DUE;
            case StartDecision.Skip skip -> throw new AssertionError(skip);
          };
      assertThat(at).isBetween(DUE, DUE.plus(Duration.ofMinutes(10)));
      starts.add(at);
    }
    assertThat(starts).hasSizeGreaterThan(150);
    assertThat(starts).anyMatch(at -> at.isAfter(DUE.plus(Duration.ofMinutes(9))));
    assertThat(starts).anyMatch(at -> at.isBefore(DUE.plus(Duration.ofMinutes(1))));
  }

  @Test
  void jitter_does_not_leave_the_window() {
    for (int i = 0; i < 100; i++) {
      StartDecision decision =
          StartRules.ofRegular(
              job("21:00-22:01", Duration.ofHours(5)),
              request("vm" + i),
              DUE,
              Optional.empty(),
              DUE);
      if (decision instanceof StartDecision.Later later) {
        assertThat(later.at()).isBefore(DUE.plusSeconds(60));
      }
    }
  }

  @Test
  void missed_runs_are_made_up_for_at_once() {
    Instant now = DUE.plusSeconds(1234);
    assertThat(
            StartRules.ofRegular(
                job("", Duration.ZERO), REQUEST, now, Optional.of(DUE.minusSeconds(7200)), now))
        .isEqualTo(new StartDecision.Now(RunReason.CATCH_UP));
  }

  @Test
  void missed_runs_wait_for_their_window() {
    Instant now = Instant.parse("2026-11-21T12:34:56Z");
    assertThat(
            StartRules.ofRegular(
                job("22:00-23:00", Duration.ZERO),
                REQUEST,
                now,
                Optional.of(DUE.minusSeconds(86_400)),
                now))
        .isEqualTo(
            new StartDecision.Later(
                RunReason.CATCH_UP, Instant.parse("2026-11-21T22:00:00Z"), "its window"));
  }

  @Test
  void what_was_missed_outside_of_the_windows_is_not_made_up_for() {
    Instant now = Instant.parse("2026-11-21T12:34:56Z");
    assertThat(
            StartRules.ofRegular(
                job("22:00-23:00", Duration.ZERO),
                REQUEST,
                now,
                Optional.of(Instant.parse("2026-11-21T09:00:00Z")),
                now))
        .isInstanceOf(StartDecision.Skip.class);
  }

  @Test
  void a_request_does_not_ask_for_windows() {
    assertThat(StartRules.ofWaiting(job("01:00-02:00", Duration.ZERO), RunReason.REQUESTED, DUE))
        .isEqualTo(new StartDecision.Now(RunReason.REQUESTED));
  }

  @Test
  void retries_wait_twice_as_long_each_time_up_to_a_limit() {
    RetryPolicy retry = new RetryPolicy(5, Duration.ofMinutes(1), Duration.ofMinutes(3));
    assertThat(retry.waitAfter(1)).contains(Duration.ofMinutes(1));
    assertThat(retry.waitAfter(2)).contains(Duration.ofMinutes(2));
    assertThat(retry.waitAfter(3)).contains(Duration.ofMinutes(3));
    assertThat(retry.waitAfter(4)).contains(Duration.ofMinutes(3));
    assertThat(retry.waitAfter(5)).isEmpty();
  }

  @Test
  void foretells_only_runs_inside_the_windows() {
    assertThat(ForeseenRuns.of(job("22:00-00:00", Duration.ZERO), DUE, 3))
        .containsExactly(DUE.plusSeconds(3600), DUE.plusSeconds(86_400), DUE.plusSeconds(90_000));
  }

  private static StartDecision regular(JobSpec job, Instant due, Instant now) {
    return StartRules.ofRegular(job, REQUEST, due, Optional.of(due.minusSeconds(3600)), now);
  }

  private static RunRequest request(String vm) {
    return new RunRequest(new JobName("job"), new VmName(vm), RunReason.SCHEDULED, DUE, 1);
  }

  private static JobSpec job(String window, Duration jitter) {
    return new JobSpec(
        new JobName("job"),
        List.of(new VmName("web")),
        new IntervalTiming(Duration.ofHours(1), ZoneOffset.UTC),
        jitter,
        MisfirePolicy.RUN_ONCE,
        new AllowedWindows(
            window.isEmpty() ? List.of() : List.of(Window.parse(window)), ZoneOffset.UTC),
        RetryPolicy.DEFAULT,
        1);
  }
}
