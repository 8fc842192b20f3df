package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel;
import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.daemon.JobStores;
import dev.cowbell.agent.daemon.RunObserver;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.notify.StaleBook.Change;
import dev.cowbell.agent.notify.StaleBook.Mood;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import dev.cowbell.agent.status.VmView;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells people what they asked to be told. Runs are never held up: what they report is taken down,
 * and messages go out on threads of their own. What was told stands in a {@link Ledger} that all
 * agents share.
 */
public final class Notifier implements RunObserver, Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(Notifier.class);
  private static final Duration TICK = Duration.ofSeconds(1);
  private static final Duration UNREACHABLE = Duration.ofMinutes(1);
  private static final Duration LAST_ENTRIES = Duration.ofSeconds(10);
  private static final Duration LAST_WORDS = Duration.ofSeconds(15);
  private static final Duration ALL_WORDS = Duration.ofMinutes(5);

  /** Besides the wait between two messages, what sending one may take. */
  private static final Duration TO_TELL = Duration.ofMinutes(5);

  /** Few, so that a database or a store is not asked about all VMs at once. */
  private static final int CLERKS = 4;

  private final Supplier<Configuration> configuration;
  private final Supplier<List<VmView>> views;
  private final InstantSource clock;
  private final Ledger ledger;
  private final Outbox outbox;
  private final FailureBook failures;
  private final ScheduledExecutorService ticker =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("notifier").daemon().factory());
  private final ExecutorService clerks =
      Executors.newFixedThreadPool(
          CLERKS, Thread.ofPlatform().name("notifier-ledger-", 0).daemon().factory());

  private final Map<String, StaleBook> stale = new HashMap<>();
  private final Map<Subject, CompletableFuture<Void>> entries = new HashMap<>();
  private Instant saved;

  /** Counts messages. */
  @FunctionalInterface
  public interface Tally {
    /** Counts nothing. */
    Tally NONE = (channel, delivered) -> {};

    void notified(String channel, boolean delivered);
  }

  /**
   * @param agent this agent's name
   * @param configuration what is in force at the moment
   * @param views what is known of the VMs at the moment
   * @param environment where secrets may be
   */
  public Notifier(
      String agent,
      Supplier<Configuration> configuration,
      Supplier<List<VmView>> views,
      Function<String, Optional<String>> environment,
      Tally tally,
      InstantSource clock) {
    this.configuration = configuration;
    this.views = views;
    this.clock = clock;
    this.ledger = new Ledger(pages(configuration.get().agent().jobStore(), environment, clock));
    this.outbox = new Outbox(agent, new Delivery(environment), tally, this::told, clock);
    this.failures = new FailureBook(ledger);
    this.saved = clock.instant();
  }

  private static Ledger.Pages pages(
      Configuration.JobStore store,
      Function<String, Optional<String>> environment,
      InstantSource clock) {
    return switch (store) {
      case Configuration.JobStore.Memory() -> new RepositoryPages(clock);
      case Configuration.JobStore.Postgresql shared ->
          new DatabasePages(JobStores.database(shared, environment), shared.cluster());
    };
  }

  /** Begins to look for stale VMs and to send. */
  public void start() {
    var _ =
        ticker.scheduleWithFixedDelay(
            this::tick, TICK.toMillis(), TICK.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public Progress begun(RunRequest request) {
    return Progress.NONE;
  }

  @Override
  public void ended(RunRequest request, RunReport report) {
    Configuration now = configuration.get();
    Configuration.Job job = now.jobs().get(request.job());
    if (now.channels().isEmpty()) {
      return;
    }
    RetryPolicy retry = job == null ? RetryPolicy.NONE : job.spec().retry();
    Optional<Event> failure = FailureBook.failure(request, report, retry);
    failure.or(() -> FailureBook.warning(request, report)).ifPresent(event -> tell(request, event));
    if (job == null) {
      return;
    }
    Subject.Runs runs = new Subject.Runs(job.repository(), request.vm(), request.job());
    if (failure.isPresent()) {
      enter(runs, () -> failures.failed(runs, report.ended()));
    } else if (report.outcome() instanceof RunOutcome.Done) {
      enter(
          runs,
          () ->
              failures
                  .wentWell(runs, request, report.ended())
                  .ifPresent(event -> tell(request, event)));
    }
  }

  private void tell(RunRequest request, Event event) {
    configuration.get().channels().stream()
        .filter(channel -> channel.isAbout(request.job()))
        .forEach(channel -> outbox.add(channel, event));
  }

  @Override
  public void scheduled(ScheduleEvent event) {}

  /** Does something with the ledger, after whatever was to be done about the same subject. */
  private synchronized void enter(Subject subject, Runnable entry) {
    Runnable careful =
        () -> {
          try {
            entry.run();
          } catch (RuntimeException e) {
            LOG.error("what was told of {} is not taken down", subject.vm(), e);
          }
        };
    if (!clerks.isShutdown()) {
      entries.compute(
          subject,
          (_, before) ->
              before == null
                  ? CompletableFuture.runAsync(careful, clerks)
                  : before.thenRunAsync(careful, clerks));
    }
  }

  private void tick() {
    try {
      List<VmView> seen = views.get();
      List<Channel> channels = configuration.get().channels();
      synchronized (this) {
        stale.keySet().retainAll(channels.stream().map(Channel::name).toList());
        channels.forEach(channel -> lookForStale(channel, seen));
        Instant now = clock.instant();
        if (now.isAfter(saved.plus(UNREACHABLE))) {
          saved = now;
          clerks.execute(failures::saveAgain);
        }
      }
      outbox.send(channels);
    } catch (RuntimeException e) {
      LOG.error("notifications are held up", e);
    }
  }

  private void lookForStale(Channel channel, List<VmView> seen) {
    if (!channel.on().contains(Occasion.STALE)) {
      stale.remove(channel.name());
      return;
    }
    List<VmView> about = seen.stream().filter(view -> isAbout(channel, view)).toList();
    StaleBook book = stale.computeIfAbsent(channel.name(), _ -> new StaleBook());
    for (Change change : book.look(about, channel.staleAfter(), clock.instant())) {
      Subject.Age age =
          new Subject.Age(change.place().repository(), change.place().vm(), channel.name());
      enter(age, () -> settle(channel, book, change, age));
    }
  }

  private boolean isAbout(Channel channel, VmView view) {
    return configuration.get().jobs().values().stream()
        .anyMatch(job ->
            job.verification().isEmpty()
                && channel.isAbout(job.spec().name())
                && job.spec().vms().contains(view.vm())
                && job.repository().text().equals(view.repository()));
  }

  private void settle(Channel channel, StaleBook book, Change change, Subject.Age age) {
    Instant now = clock.instant();
    try {
      switch (change.mood()) {
        case LATE -> settleLate(channel, book, change, age, now);
        case GOOD -> settleGood(channel, book, change, age, now);
      }
    } catch (IOException e) {
      LOG.debug("what was told of {} is not known", age.vm(), e);
      boolean first;
      synchronized (this) {
        first = change.mood() == Mood.LATE && !book.wasToldAlone(change.place());
        if (first) {
          book.tellAlone(change.place());
        }
        book.unsettled(change.place(), now.plus(UNREACHABLE));
      }
      if (first) { // better twice than not at all
        outbox.add(channel, event(change, now, Optional.empty()));
      }
    }
  }

  private void settleLate(
      Channel channel, StaleBook book, Change change, Subject.Age age, Instant now)
      throws IOException {
    boolean toldAlone;
    synchronized (this) {
      toldAlone = book.wasToldAlone(change.place());
    }
    if (toldAlone) {
      ledger.fail(age, now);
      settled(book, change, Instant.MAX);
      return;
    }
    Ledger.Claim claim = ledger.claim(age, now, now.plus(channel.atMostEvery()).plus(TO_TELL));
    settled(book, change, claim.askAgain());
    if (claim.granted()) {
      outbox.add(channel, event(change, now, Optional.of(age)));
    }
  }

  private void settleGood(
      Channel channel, StaleBook book, Change change, Subject.Age age, Instant now)
      throws IOException {
    boolean recovered = ledger.recover(age, now).isPresent();
    synchronized (this) {
      recovered |= book.wasToldAlone(change.place());
      book.settled(change.place(), Mood.GOOD, Instant.MAX);
    }
    if (recovered) {
      outbox.add(channel, event(change, now, Optional.empty()));
    }
  }

  private synchronized void settled(StaleBook book, Change change, Instant askAgain) {
    book.settled(change.place(), change.mood(), askAgain);
  }

  private static Event event(Change change, Instant now, Optional<Subject> claimed) {
    Occasion occasion =
        switch (change.mood()) {
          case LATE -> Occasion.STALE;
          case GOOD -> Occasion.RECOVERY;
        };
    return new Event(occasion, Optional.empty(), change.place().vm(), now, change.text(), claimed);
  }

  /** A message was delivered that says what was claimed. */
  private void told(Subject subject) {
    try {
      ledger.told(subject);
    } catch (IOException | RuntimeException e) {
      LOG.debug("that {} was told of is not taken down", subject, e);
    }
  }

  /** Sends all there is, with all patience, and ends. */
  public void finish() {
    end(false, ALL_WORDS);
  }

  /** Sends what waits, once and without patience. */
  @Override
  public void close() {
    end(true, LAST_WORDS);
  }

  private void end(boolean hurry, Duration atMost) {
    ticker.shutdownNow();
    synchronized (this) {
      clerks.shutdown();
    }
    try {
      var _ = clerks.awaitTermination(LAST_ENTRIES.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    outbox.finish(configuration.get().channels(), hurry, atMost);
  }
}
