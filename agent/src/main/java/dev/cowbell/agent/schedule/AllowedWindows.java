package dev.cowbell.agent.schedule;

import dev.cowbell.agent.schedule.Window.Opening;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * When runs may start: inside any of the windows, or always when there are none. A run that has
 * started goes on beyond the end of its window.
 *
 * @param windows the windows
 * @param zone the zone whose wall clock they mean
 */
public record AllowedWindows(List<Window> windows, ZoneId zone) {

  /** A week and a day on either side: any window that ever opens does so within. */
  private static final int DAYS_AHEAD = 9;

  public AllowedWindows {
    windows = List.copyOf(windows);
  }

  /** No restriction. */
  public static AllowedWindows always(ZoneId zone) {
    return new AllowedWindows(List.of(), zone);
  }

  public boolean allow(Instant time) {
    return windows.isEmpty() || closing(time).isPresent();
  }

  /** When the window that holds {@code time} closes, the latest if there are several. */
  Optional<Instant> closing(Instant time) {
    return openings(time)
        .filter(opening -> opening.contains(time))
        .map(Opening::closes)
        .max(Comparator.naturalOrder());
  }

  /** The first moment at or after {@code time} in which a run may start. */
  Optional<Instant> nextAllowed(Instant time) {
    if (allow(time)) {
      return Optional.of(time);
    }
    return openings(time)
        .map(Opening::opens)
        .filter(opens -> opens.isAfter(time))
        .min(Comparator.naturalOrder());
  }

  private Stream<Opening> openings(Instant around) {
    LocalDate yesterday = around.atZone(zone).toLocalDate().minusDays(1);
    return windows.stream()
        .flatMap(window ->
            yesterday
                .datesUntil(yesterday.plusDays(DAYS_AHEAD))
                .flatMap(date -> window.on(date, zone).stream()));
  }
}
