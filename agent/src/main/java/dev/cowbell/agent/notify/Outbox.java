package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gathers what is to be told into messages and sends them, each channel's one after another, on
 * threads of its own. Thread-safe.
 */
final class Outbox {

  private static final Logger LOG = LoggerFactory.getLogger(Outbox.class);
  private static final List<Duration> WAITS =
      List.of(Duration.ofSeconds(2), Duration.ofSeconds(10), Duration.ofSeconds(60));

  private final String agent;
  private final Delivery delivery;
  private final Notifier.Tally tally;
  private final Consumer<Subject> told;
  private final InstantSource clock;
  private final ExecutorService senders =
      Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("notify-", 0).factory());
  private final Map<String, Group> groups = new HashMap<>();
  private final Set<String> sending = new HashSet<>();
  private boolean hurried;

  /**
   * @param agent this agent's name
   * @param told is given what was claimed and has been told now
   */
  Outbox(
      String agent,
      Delivery delivery,
      Notifier.Tally tally,
      Consumer<Subject> told,
      InstantSource clock) {
    this.agent = agent;
    this.delivery = delivery;
    this.tally = tally;
    this.told = told;
    this.clock = clock;
  }

  /** Takes what a channel is to tell, if that is what it is for. */
  synchronized void add(Channel channel, Event event) {
    if (channel.on().contains(event.occasion())) {
      groups.computeIfAbsent(channel.name(), _ -> new Group()).add(event, clock.instant());
    }
  }

  /** Sends what is due; forgets what was for channels that are no more. */
  synchronized void send(List<Channel> channels) {
    groups.keySet().retainAll(channels.stream().map(Channel::name).toList());
    for (Channel channel : channels) {
      Group group = groups.get(channel.name());
      if (group != null && !sending.contains(channel.name())) {
        Instant now = clock.instant();
        group.due(channel.atMostEvery(), now).ifPresent(due -> begin(channel, due, now));
      }
    }
  }

  /**
   * Sends all there is, early or not, and ends.
   *
   * @param hurry whether each message has one attempt only
   * @param atMost how long it may take
   */
  void finish(List<Channel> channels, boolean hurry, Duration atMost) {
    synchronized (this) {
      hurried = hurry;
      Instant now = clock.instant();
      for (Channel channel : channels) {
        Group group = groups.get(channel.name());
        if (group != null) {
          group.take(now).ifPresent(all -> begin(channel, all, now));
        }
      }
    }
    senders.shutdown();
    try {
      if (!senders.awaitTermination(atMost.toMillis(), TimeUnit.MILLISECONDS)) {
        senders.shutdownNow();
      }
    } catch (InterruptedException e) {
      senders.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }

  private void begin(Channel channel, Group.Told what, Instant now) {
    sending.add(channel.name());
    senders.execute(() -> send(channel, new Message(agent, now, what)));
  }

  private void send(Channel channel, Message message) {
    try {
      for (int attempt = 0; ; attempt++) {
        String problem = attempt(channel, message);
        if (problem.isEmpty()) {
          tally.notified(channel.name(), true);
          message.told().events().forEach(event -> event.claimed().ifPresent(told));
          return;
        }
        if (attempt == WAITS.size() || isHurried()) {
          giveUp(channel, message, problem);
          return;
        }
        LOG.atWarn()
            .addKeyValue("channel", channel.name())
            .log("not notified yet, tried again: {}", problem);
        Thread.sleep(WAITS.get(attempt));
      }
    } catch (InterruptedException e) {
      giveUp(channel, message, "the agent ends");
      Thread.currentThread().interrupt();
    } finally {
      synchronized (this) {
        sending.remove(channel.name());
      }
    }
  }

  private void giveUp(Channel channel, Message message, String problem) {
    tally.notified(channel.name(), false);
    LOG.atError()
        .addKeyValue("channel", channel.name())
        .log("could not be notified of {}: {}", message.summary(), problem);
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

  private synchronized boolean isHurried() {
    return hurried;
  }
}
