package dev.cowbell.agent.notify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunReason;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.status.PointView;
import dev.cowbell.agent.status.VmView;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

final class BooksTest {

  private static final Instant NOON = Instant.parse("2026-01-02T12:00:00Z");
  private static final VmName WEB = new VmName("web");
  private static final Duration DAY = Duration.ofDays(1);

  private final FailureBook failures = new FailureBook();
  private final StaleBook stale = new StaleBook();
  private final Group group = new Group();

  private Optional<Occasion> ended(int attempt, RunOutcome outcome) {
    return failures
        .ended(
            new RunRequest(new JobName("nightly"), WEB, RunReason.RETRY, NOON, attempt),
            new RunReport(NOON, NOON, outcome, Optional.empty(), Optional.empty(), List.of()),
            RetryPolicy.DEFAULT)
        .map(Event::occasion);
  }

  private static RunOutcome failed(RunOutcome.Again again) {
    return new RunOutcome.Failed("disk full", again);
  }

  @Test
  void tells_of_a_failure_after_the_last_attempt_only_and_once_of_the_recovery() {
    assertThat(ended(1, failed(RunOutcome.Again.MAY_HELP))).isEmpty();
    assertThat(ended(2, failed(RunOutcome.Again.MAY_HELP))).isEmpty();
    assertThat(ended(3, failed(RunOutcome.Again.MAY_HELP))).contains(Occasion.FAILURE);
    assertThat(ended(1, new RunOutcome.Stopped())).isEmpty();
    assertThat(ended(1, new RunOutcome.Done())).contains(Occasion.RECOVERY);
    assertThat(ended(1, new RunOutcome.Done())).isEmpty();
  }

  @Test
  void tells_at_once_of_a_failure_that_no_attempt_can_help() {
    assertThat(ended(1, failed(RunOutcome.Again.HOPELESS))).contains(Occasion.FAILURE);
  }

  @Test
  void tells_of_no_recovery_where_only_an_attempt_had_failed() {
    assertThat(ended(1, failed(RunOutcome.Again.MAY_HELP))).isEmpty();
    assertThat(ended(2, new RunOutcome.Done())).isEmpty();
  }

  private static VmView view(Instant... points) {
    return new VmView(
        WEB,
        "/repository",
        java.util.Arrays.stream(points).map(at -> point(at, OptionalInt.of(1))).toList(),
        0,
        NOON,
        Optional.empty());
  }

  private static PointView point(Instant at, OptionalInt chain) {
    return new PointView(
        new PointId("20260102T120000Z-0001"),
        at,
        true,
        Optional.empty(),
        1,
        1,
        chain,
        false,
        Map.of());
  }

  private List<Occasion> look(VmView view, Instant now) {
    return stale.look(List.of(view), DAY, now).stream().map(Event::occasion).toList();
  }

  @Test
  void tells_once_that_a_vm_is_stale_and_again_after_it_was_well() {
    VmView old = view(NOON);
    assertThat(look(old, NOON.plus(DAY))).isEmpty();
    assertThat(look(old, NOON.plus(DAY).plusSeconds(1))).containsExactly(Occasion.STALE);
    assertThat(look(old, NOON.plus(DAY).plusSeconds(2))).isEmpty();
    Instant later = NOON.plus(DAY).plusSeconds(10);
    assertThat(look(view(NOON, later), later)).containsExactly(Occasion.RECOVERY);
    assertThat(look(view(NOON, later), later.plus(DAY).plusSeconds(1)))
        .containsExactly(Occasion.STALE);
  }

  @Test
  void counts_from_when_it_heard_of_a_vm_that_has_no_point() {
    assertThat(look(view(), NOON)).isEmpty();
    assertThat(look(view(), NOON.plus(DAY).plusSeconds(1))).containsExactly(Occasion.STALE);
  }

  @Test
  void takes_a_point_with_a_broken_chain_for_no_good_backup() {
    Instant now = NOON.plus(DAY).plusSeconds(1);
    VmView broken =
        new VmView(
            WEB,
            "/repository",
            List.of(point(NOON, OptionalInt.of(1)), point(now, OptionalInt.empty())),
            0,
            now,
            Optional.empty());
    assertThat(look(broken, now)).containsExactly(Occasion.STALE);
  }

  private static Event event(int number) {
    return new Event(Occasion.FAILURE, Optional.empty(), new VmName("vm" + number), NOON, "why");
  }

  @Test
  void makes_few_messages_of_five_hundred_failures() {
    Instant now = NOON;
    int messages = 0;
    int told = 0;
    for (int i = 0; i < 500; i++) {
      group.add(event(i), now);
      now = now.plusSeconds(1);
      var due = group.due(Duration.ofMinutes(5), now);
      messages += due.isPresent() ? 1 : 0;
      told += due.map(d -> d.events().size() + d.omitted()).orElse(0);
    }
    told += group.take(now).map(d -> d.events().size() + d.omitted()).orElse(0);
    assertThat(messages).isEqualTo(2);
    assertThat(told).isEqualTo(500);
  }

  @Test
  void gathers_for_a_moment_before_the_first_message() {
    group.add(event(1), NOON);
    assertThat(group.due(Duration.ofMinutes(5), NOON.plusSeconds(9))).isEmpty();
    assertThat(group.due(Duration.ofMinutes(5), NOON.plusSeconds(10))).isPresent();
    assertThat(group.due(Duration.ofMinutes(5), NOON.plus(DAY))).isEmpty();
  }
}
