package dev.cowbell.agent.notify;

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
 * Sees which VMs have no good backup for too long, and which have one again. Pure: whoever looks
 * asks the {@link Ledger} what was told already, and says here what came of that.
 *
 * <p>A VM without any good point counts from when it was first heard of here.
 */
final class StaleBook {

  /** A VM in a repository. */
  record Place(String repository, VmName vm) {}

  /** How a VM is. */
  enum Mood {
    GOOD,
    LATE
  }

  /**
   * How a VM is, which the ledger is to be told.
   *
   * @param text it in a sentence
   */
  record Change(Place place, Mood mood, String text) {}

  /** What is known of a VM. */
  private static final class Entry {
    private final Instant heardOf;
    private Optional<Mood> settled = Optional.empty();
    private Instant askAgain = Instant.MAX;
    private Instant notBefore = Instant.MIN;
    private boolean asking;
    private boolean toldAlone;

    Entry(Instant heardOf) {
      this.heardOf = heardOf;
    }

    boolean isToBeAsked(Mood mood, Instant now) {
      boolean news = settled.filter(mood::equals).isEmpty() || !now.isBefore(askAgain);
      return news && !asking && !now.isBefore(notBefore);
    }
  }

  private final Map<Place, Entry> entries = new HashMap<>();

  /**
   * Looks at all VMs.
   *
   * @param views what is known of them now; a VM that is missing here is forgotten
   * @return what is to be settled, by one of the methods below for each
   */
  List<Change> look(List<VmView> views, Duration after, Instant now) {
    List<Change> changes = new ArrayList<>();
    Set<Place> present = new HashSet<>();
    for (VmView view : views) {
      Place place = new Place(view.repository(), view.vm());
      present.add(place);
      Entry entry = entries.computeIfAbsent(place, _ -> new Entry(now));
      Optional<Instant> newest = newestGood(view);
      Optional<Mood> mood = mood(newest, entry.heardOf, after, now);
      if (mood.isPresent() && entry.isToBeAsked(mood.get(), now)) {
        entry.asking = true;
        changes.add(new Change(place, mood.get(), told(mood.get(), view, newest, entry.heardOf)));
      }
    }
    entries.keySet().retainAll(present);
    return changes;
  }

  /** Empty as long as it is too early to tell. */
  private static Optional<Mood> mood(
      Optional<Instant> newest, Instant heardOf, Duration after, Instant now) {
    if (newest.orElse(heardOf).plus(after).isBefore(now)) {
      return Optional.of(Mood.LATE);
    }
    return newest.map(_ -> Mood.GOOD);
  }

  /**
   * The ledger knows.
   *
   * @param askAgain when to ask again although nothing changed
   */
  void settled(Place place, Mood mood, Instant askAgain) {
    Entry entry = entries.get(place);
    if (entry != null) {
      entry.asking = false;
      entry.settled = Optional.of(mood);
      entry.askAgain = askAgain;
      entry.toldAlone = false;
    }
  }

  /** The ledger can't be reached. */
  void unsettled(Place place, Instant notBefore) {
    Entry entry = entries.get(place);
    if (entry != null) {
      entry.asking = false;
      entry.notBefore = notBefore;
    }
  }

  /** Whether it was told here that a VM is late, without the ledger's knowledge. */
  boolean wasToldAlone(Place place) {
    Entry entry = entries.get(place);
    return entry != null && entry.toldAlone;
  }

  /** It is told here without the ledger's knowledge. */
  void tellAlone(Place place) {
    Entry entry = entries.get(place);
    if (entry != null) {
      entry.toldAlone = true;
    }
  }

  private static Optional<Instant> newestGood(VmView view) {
    return view.points().stream()
        .filter(point -> point.chain().isPresent())
        .map(PointView::time)
        .max(Comparator.naturalOrder());
  }

  private static String told(Mood mood, VmView view, Optional<Instant> newest, Instant since) {
    return switch (mood) {
      case GOOD -> "has a good backup in " + view.repository();
      case LATE ->
          "no good backup in %s since %s%s"
              .formatted(
                  view.repository(),
                  newest.map(Instant::toString).orElse(since + ", when the agent began to look"),
                  view.problem().map(problem -> "; it can't be read: " + problem).orElse(""));
    };
  }
}
