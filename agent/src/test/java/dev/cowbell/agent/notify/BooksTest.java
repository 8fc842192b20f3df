package dev.cowbell.agent.notify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.notify.StaleBook.Mood;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.ToldRecord;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunReason;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.status.PointView;
import dev.cowbell.agent.status.VmView;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

final class BooksTest {

  private static final Instant NOON = Instant.parse("2026-01-02T12:00:00Z");
  private static final VmName WEB = new VmName("web");
  private static final Duration DAY = Duration.ofDays(1);

  private static final Subject.Runs RUNS =
      new Subject.Runs("/repository", WEB, new JobName("nightly"));

  private final StaleBook stale = new StaleBook();
  private final Group group = new Group();

  private static Optional<Occasion> failure(int attempt, RunOutcome outcome) {
    return FailureBook.failure(
            request(attempt),
            new RunReport(NOON, NOON, outcome, Optional.empty(), Optional.empty(), List.of()),
            RetryPolicy.DEFAULT)
        .map(Event::occasion);
  }

  private static RunRequest request(int attempt) {
    return new RunRequest(new JobName("nightly"), WEB, RunReason.RETRY, NOON, attempt);
  }

  private static RunOutcome failed(RunOutcome.Again again) {
    return new RunOutcome.Failed("disk full", again);
  }

  @Test
  void tells_what_deserves_a_look_about_a_run_that_went_well() {
    RunReport doubtful =
        new RunReport(
            NOON,
            NOON,
            new RunOutcome.Done(),
            Optional.empty(),
            Optional.empty(),
            List.of("TRACKING FAILED", "pruning failed"));
    assertThat(FailureBook.warning(request(1), doubtful).map(Event::text))
        .contains("TRACKING FAILED; pruning failed");
    assertThat(FailureBook.warning(request(1), doubtful).map(Event::occasion))
        .contains(Occasion.WARNING);
    RunReport failed =
        new RunReport(
            NOON,
            NOON,
            failed(RunOutcome.Again.MAY_HELP),
            Optional.empty(),
            Optional.empty(),
            List.of("TRACKING FAILED"));
    assertThat(FailureBook.warning(request(1), failed)).isEmpty();
  }

  @Test
  void tells_of_a_failure_after_the_last_attempt_only() {
    assertThat(failure(1, failed(RunOutcome.Again.MAY_HELP))).isEmpty();
    assertThat(failure(2, failed(RunOutcome.Again.MAY_HELP))).isEmpty();
    assertThat(failure(3, failed(RunOutcome.Again.MAY_HELP))).contains(Occasion.FAILURE);
    assertThat(failure(1, new RunOutcome.Stopped())).isEmpty();
    assertThat(failure(1, new RunOutcome.Done())).isEmpty();
  }

  @Test
  void tells_at_once_of_a_failure_that_no_attempt_can_help() {
    assertThat(failure(1, failed(RunOutcome.Again.HOPELESS))).contains(Occasion.FAILURE);
  }

  @Test
  void tells_of_a_recovery_once_whichever_agent_saw_the_failure() {
    MemoryPages shared = new MemoryPages();
    FailureBook one = new FailureBook(new Ledger(shared));
    FailureBook other = new FailureBook(new Ledger(shared));
    assertThat(other.wentWell(RUNS, request(1), NOON)).isEmpty();
    one.failed(RUNS, NOON);
    one.failed(RUNS, NOON.plusSeconds(60));
    assertThat(other.wentWell(RUNS, request(1), NOON.plusSeconds(90)))
        .hasValueSatisfying(event -> {
          assertThat(event.occasion()).isEqualTo(Occasion.RECOVERY);
          assertThat(event.text()).contains(NOON.toString());
        });
    assertThat(one.wentWell(RUNS, request(1), NOON.plusSeconds(91))).isEmpty();
    assertThat(other.wentWell(RUNS, request(1), NOON.plusSeconds(92))).isEmpty();
  }

  @Test
  void knows_of_a_failure_that_could_not_be_taken_down_and_takes_it_down_later() {
    MemoryPages shared = new MemoryPages();
    FailureBook one = new FailureBook(new Ledger(shared));
    shared.reachable = false;
    one.failed(RUNS, NOON);
    assertThat(one.wentWell(RUNS, request(1), NOON)).isPresent();
    one.failed(RUNS, NOON);
    shared.reachable = true;
    one.saveAgain();
    FailureBook other = new FailureBook(new Ledger(shared));
    assertThat(other.wentWell(RUNS, request(1), NOON)).isPresent();
    assertThat(one.wentWell(RUNS, request(1), NOON)).isEmpty();
  }

  @Test
  void grants_a_claim_once_until_it_runs_out_untold() throws IOException {
    Ledger ledger = new Ledger(new MemoryPages());
    Instant until = NOON.plusSeconds(60);
    assertThat(ledger.claim(RUNS, NOON, until).granted()).isTrue();
    assertThat(ledger.claim(RUNS, NOON, until)).isEqualTo(new Ledger.Claim(false, until));
    Instant later = until.plusSeconds(60);
    assertThat(ledger.claim(RUNS, until, later).granted()).isTrue();
    ledger.told(RUNS);
    assertThat(ledger.claim(RUNS, later, later)).isEqualTo(new Ledger.Claim(false, Instant.MAX));
    assertThat(ledger.recover(RUNS, later)).contains(NOON);
    assertThat(ledger.recover(RUNS, later)).isEmpty();
    assertThat(ledger.claim(RUNS, later, later).granted()).isTrue();
  }

  @Test
  void grants_a_claim_to_one_of_many_that_ask_at_once() throws Exception {
    Ledger ledger = new Ledger(new MemoryPages());
    try (ExecutorService agents = Executors.newFixedThreadPool(8)) {
      List<Future<Boolean>> answers = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        answers.add(agents.submit(() -> ledger.claim(RUNS, NOON, NOON.plusSeconds(9)).granted()));
      }
      int granted = 0;
      for (Future<Boolean> answer : answers) {
        granted += answer.get() ? 1 : 0;
      }
      assertThat(granted).isEqualTo(1);
    }
  }

  /** The pages of several agents, in memory. */
  private static final class MemoryPages implements Ledger.Pages {
    private final Map<Subject, Ledger.Page> pages = new HashMap<>();
    private boolean reachable = true;

    @Override
    public synchronized Optional<Ledger.Page> read(Subject subject) throws IOException {
      if (!reachable) {
        throw new IOException("down");
      }
      return Optional.ofNullable(pages.get(subject));
    }

    @Override
    public synchronized boolean write(Subject subject, Optional<Ledger.Page> before, ToldRecord now)
        throws IOException {
      if (!read(subject).equals(before)) {
        return false;
      }
      pages.put(subject, new Ledger.Page(now, before.map(Ledger.Page::version).orElse("") + "+"));
      return true;
    }
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

  /** What is to be asked; the ledger's answer is that it knows now. */
  private List<Mood> look(VmView view, Instant now) {
    List<StaleBook.Change> changes = stale.look(List.of(view), DAY, now);
    changes.forEach(change -> stale.settled(change.place(), change.mood(), Instant.MAX));
    return changes.stream().map(StaleBook.Change::mood).toList();
  }

  @Test
  void asks_once_when_a_vm_is_late_and_again_after_it_was_well() {
    VmView old = view(NOON);
    assertThat(look(old, NOON.plus(DAY))).containsExactly(Mood.GOOD);
    assertThat(look(old, NOON.plus(DAY).plusSeconds(1))).containsExactly(Mood.LATE);
    assertThat(look(old, NOON.plus(DAY).plusSeconds(2))).isEmpty();
    Instant later = NOON.plus(DAY).plusSeconds(10);
    assertThat(look(view(NOON, later), later)).containsExactly(Mood.GOOD);
    assertThat(look(view(NOON, later), later.plus(DAY).plusSeconds(1))).containsExactly(Mood.LATE);
  }

  @Test
  void counts_from_when_it_heard_of_a_vm_that_has_no_point() {
    assertThat(look(view(), NOON)).isEmpty();
    assertThat(look(view(), NOON.plus(DAY).plusSeconds(1))).containsExactly(Mood.LATE);
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
    assertThat(look(broken, now)).containsExactly(Mood.LATE);
  }

  @Test
  void asks_again_when_a_claim_ran_out_or_the_ledger_could_not_be_reached() {
    Instant late = NOON.plus(DAY).plusSeconds(1);
    List<StaleBook.Change> asked = stale.look(List.of(view(NOON)), DAY, late);
    assertThat(asked).hasSize(1);
    assertThat(stale.look(List.of(view(NOON)), DAY, late)).as("while asking").isEmpty();
    StaleBook.Place place = asked.getFirst().place();
    stale.unsettled(place, late.plusSeconds(60));
    assertThat(look(view(NOON), late.plusSeconds(59))).isEmpty();
    assertThat(stale.look(List.of(view(NOON)), DAY, late.plusSeconds(60))).hasSize(1);
    stale.settled(place, Mood.LATE, late.plusSeconds(90));
    assertThat(look(view(NOON), late.plusSeconds(89))).isEmpty();
    assertThat(look(view(NOON), late.plusSeconds(90))).containsExactly(Mood.LATE);
  }

  private static Event event(int number) {
    return new Event(
        Occasion.FAILURE,
        Optional.empty(),
        new VmName("vm" + number),
        NOON,
        "why",
        Optional.empty());
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
