package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel;
import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.daemon.RunObserver;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import dev.cowbell.agent.status.VmView;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
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
 * and messages go out on threads of their own. What is known of failures outlives a reload of the
 * configuration, not the agent.
 */
public final class Notifier implements RunObserver, Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(Notifier.class);
  private static final Duration TICK = Duration.ofSeconds(1);
  private static final Duration LAST_WORDS = Duration.ofSeconds(15);
  private static final List<Duration> WAITS =
      List.of(Duration.ofSeconds(2), Duration.ofSeconds(10), Duration.ofSeconds(60));

  private final String agent;
  private final Supplier<Configuration> configuration;
  private final Supplier<List<VmView>> views;
  private final Delivery delivery;
  private final Tally tally;
  private final InstantSource clock;
  private final ScheduledExecutorService ticker =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("notifier").daemon().factory());
  private final ExecutorService senders =
      Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("notify-", 0).factory());

  private final FailureBook failures = new FailureBook();
  private final Map<String, StaleBook> stale = new HashMap<>();
  private final Map<String, Group> groups = new HashMap<>();
  private final Set<String> sending = new HashSet<>();
  private boolean closing;

  /** Counts messages. */
  @FunctionalInterface
  public interface Tally {
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
    this.agent = agent;
    this.configuration = configuration;
    this.views = views;
    this.delivery = new Delivery(environment);
    this.tally = tally;
    this.clock = clock;
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
  public synchronized void ended(RunRequest request, RunReport report) {
    Configuration now = configuration.get();
    Configuration.Job job = now.jobs().get(request.job());
    RetryPolicy retry =
        job == null ? new RetryPolicy(1, Duration.ZERO, Duration.ZERO) : job.spec().retry();
    failures
        .ended(request, report, retry)
        .ifPresent(event ->
            now.channels().stream()
                .filter(channel -> channel.isAbout(request.job()))
                .forEach(channel -> add(channel, event)));
  }

  @Override
  public void scheduled(ScheduleEvent event) {}

  private void add(Channel channel, Event event) {
    if (channel.on().contains(event.occasion())) {
      groups.computeIfAbsent(channel.name(), _ -> new Group()).add(event, clock.instant());
    }
  }

  private void tick() {
    try {
      List<VmView> seen = views.get();
      synchronized (this) {
        forgetOldChannels();
        for (Channel channel : configuration.get().channels()) {
          lookForStale(channel, seen);
          sendWhatIsDue(channel);
        }
      }
    } catch (RuntimeException e) {
      LOG.error("notifications are held up", e);
    }
  }

  private void forgetOldChannels() {
    Set<String> names = new HashSet<>();
    configuration.get().channels().forEach(channel -> names.add(channel.name()));
    groups.keySet().retainAll(names);
    stale.keySet().retainAll(names);
  }

  private void lookForStale(Channel channel, List<VmView> seen) {
    if (!channel.on().contains(Occasion.STALE)) {
      stale.remove(channel.name());
      return;
    }
    List<VmView> about = seen.stream().filter(view -> isAbout(channel, view)).toList();
    stale
        .computeIfAbsent(channel.name(), _ -> new StaleBook())
        .look(about, channel.staleAfter(), clock.instant())
        .forEach(event -> add(channel, event));
  }

  private boolean isAbout(Channel channel, VmView view) {
    return configuration.get().jobs().values().stream()
        .anyMatch(job ->
            job.verification().isEmpty()
                && channel.isAbout(job.spec().name())
                && job.spec().vms().contains(view.vm())
                && job.repository().text().equals(view.repository()));
  }

  private void sendWhatIsDue(Channel channel) {
    Group group = groups.get(channel.name());
    if (group == null || sending.contains(channel.name())) {
      return;
    }
    Instant now = clock.instant();
    group
        .due(channel.atMostEvery(), now)
        .ifPresent(told -> {
          sending.add(channel.name());
          senders.execute(() -> send(channel, new Message(agent, now, told)));
        });
  }

  private void send(Channel channel, Message message) {
    try {
      for (int attempt = 0; ; attempt++) {
        String problem = attempt(channel, message);
        if (problem.isEmpty()) {
          tally.notified(channel.name(), true);
          return;
        }
        if (attempt == WAITS.size() || isClosing()) {
          tally.notified(channel.name(), false);
          LOG.atError()
              .addKeyValue("channel", channel.name())
              .log("could not be notified of {}: {}", message.summary(), problem);
          return;
        }
        LOG.atWarn()
            .addKeyValue("channel", channel.name())
            .log("not notified yet, tried again: {}", problem);
        Thread.sleep(WAITS.get(attempt));
      }
    } catch (InterruptedException e) {
      tally.notified(channel.name(), false);
      LOG.atError()
          .addKeyValue("channel", channel.name())
          .log("could not be notified of {}: the agent ends", message.summary());
      Thread.currentThread().interrupt();
    } finally {
      synchronized (this) {
        sending.remove(channel.name());
      }
    }
  }

  /** What went wrong; nothing if nothing did. */
  private String attempt(Channel channel, Message message) throws InterruptedException {
    try {
      delivery.deliver(channel.receiver(), message);
      return "";
    } catch (IOException | RuntimeException e) {
      LOG.debug("notification by {} failed", channel.name(), e);
      return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
  }

  private synchronized boolean isClosing() {
    return closing;
  }

  /** Sends what waits, once and without patience. */
  @Override
  public void close() {
    ticker.shutdownNow();
    synchronized (this) {
      closing = true;
      for (Channel channel : configuration.get().channels()) {
        Group group = groups.get(channel.name());
        if (group != null) {
          Instant now = clock.instant();
          group
              .take(now)
              .ifPresent(
                  told -> senders.execute(() -> send(channel, new Message(agent, now, told))));
        }
      }
    }
    senders.shutdown();
    try {
      if (!senders.awaitTermination(LAST_WORDS.toMillis(), TimeUnit.MILLISECONDS)) {
        senders.shutdownNow();
      }
    } catch (InterruptedException e) {
      senders.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
