package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.status.PointView;
import dev.cowbell.agent.status.VmView;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Knows which VMs have no good backup for too long: each is told once, and again after it was well.
 * A VM without any good point counts from when it was first heard of here.
 */
final class StaleBook {

  private record Place(String repository, VmName vm) {}

  private final Map<Place, Instant> heardOf = new HashMap<>();
  private final Set<Place> stale = new HashSet<>();

  /**
   * Looks at all VMs.
   *
   * @param views what is known of them now; a VM that is missing here is forgotten
   * @return what is to be told
   */
  List<Event> look(List<VmView> views, Duration after, Instant now) {
    List<Event> events = new ArrayList<>();
    Set<Place> present = new HashSet<>();
    for (VmView view : views) {
      Place place = new Place(view.repository(), view.vm());
      present.add(place);
      Instant since = heardOf.computeIfAbsent(place, _ -> now);
      Optional<Instant> newest = newestGood(view);
      boolean late = newest.orElse(since).plus(after).isBefore(now);
      if (late && stale.add(place)) {
        events.add(event(Occasion.STALE, view, now, told(view, newest, since)));
      } else if (!late && stale.remove(place)) {
        events.add(
            event(Occasion.RECOVERY, view, now, "has a good backup in " + view.repository()));
      }
    }
    heardOf.keySet().retainAll(present);
    stale.retainAll(present);
    return events;
  }

  private static Optional<Instant> newestGood(VmView view) {
    return view.points().stream()
        .filter(point -> point.chain().isPresent())
        .map(PointView::time)
        .max(Comparator.naturalOrder());
  }

  private static String told(VmView view, Optional<Instant> newest, Instant since) {
    return "no good backup in %s since %s%s"
        .formatted(
            view.repository(),
            newest.map(Instant::toString).orElse(since + ", when the agent began to look"),
            view.problem().map(problem -> "; it can't be read: " + problem).orElse(""));
  }

  private static Event event(Occasion occasion, VmView view, Instant now, String text) {
    return new Event(occasion, Optional.empty(), view.vm(), now, text);
  }
}
