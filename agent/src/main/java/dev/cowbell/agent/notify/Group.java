package dev.cowbell.agent.notify;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Collects events until it is time for a message: much that happens at once makes one of it. */
final class Group {

  /** How long the first event waits for others. */
  static final Duration GATHER = Duration.ofSeconds(10);

  /** How many events a message has; of more it has the count. */
  static final int MOST = 200;

  /**
   * What one message tells.
   *
   * @param omitted how many more there were
   */
  record Told(List<Event> events, int omitted) {}

  private final List<Event> events = new ArrayList<>();
  private int omitted;
  private Instant first = Instant.EPOCH;
  private Optional<Instant> last = Optional.empty();

  void add(Event event, Instant now) {
    if (events.isEmpty()) {
      first = now;
    }
    if (events.size() < MOST) {
      events.add(event);
    } else {
      omitted++;
    }
  }

  /**
   * What is to be told now.
   *
   * @param atMostEvery the least time between two messages
   */
  Optional<Told> due(Duration atMostEvery, Instant now) {
    Duration gather = GATHER.compareTo(atMostEvery) < 0 ? GATHER : atMostEvery;
    boolean early =
        events.isEmpty()
            || now.isBefore(first.plus(gather))
            || last.filter(then -> now.isBefore(then.plus(atMostEvery))).isPresent();
    return early ? Optional.empty() : take(now);
  }

  /** Whatever there is, early or not. */
  Optional<Told> take(Instant now) {
    if (events.isEmpty()) {
      return Optional.empty();
    }
    Told told = new Told(List.copyOf(events), omitted);
    events.clear();
    omitted = 0;
    last = Optional.of(now);
    return Optional.of(told);
  }
}
