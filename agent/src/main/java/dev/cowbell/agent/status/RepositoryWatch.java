package dev.cowbell.agent.status;

import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.daemon.RunObserver;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import java.io.Closeable;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Knows what the repositories of a configuration hold, as of a few minutes ago: reads all of it now
 * and then, and what a run changed at once. Whoever looks never waits for a store.
 */
public final class RepositoryWatch implements RunObserver, Closeable {

  private static final Duration EVERY = Duration.ofMinutes(10);

  private final Supplier<Configuration> configuration;
  private final Clock clock;
  private final ScheduledExecutorService reader =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("repository-watch").daemon().factory());
  private final Map<Place, VmView> views = new ConcurrentHashMap<>();

  private record Place(String repository, VmName vm) {}

  /**
   * @param configuration what is in force at the moment
   */
  public RepositoryWatch(Supplier<Configuration> configuration, Clock clock) {
    this.configuration = configuration;
    this.clock = clock;
  }

  /** Begins to read. */
  public void start() {
    var _ = reader.scheduleWithFixedDelay(this::readAll, 0, EVERY.toSeconds(), TimeUnit.SECONDS);
  }

  /** What is known of the configured VMs, in the order of the file. */
  public List<VmView> views() {
    List<VmView> known = new ArrayList<>();
    for (Place place : places()) {
      VmView view = views.get(place);
      known.add(
          view != null
              ? view
              : new VmView(
                  place.vm(),
                  place.repository(),
                  List.of(),
                  0,
                  clock.instant(),
                  Optional.of("not read yet")));
    }
    return known;
  }

  private List<Place> places() {
    Map<VmName, Set<String>> repositories = new LinkedHashMap<>();
    Configuration now = configuration.get();
    now.vms().keySet().forEach(vm -> repositories.put(vm, new TreeSet<>()));
    now.jobs()
        .values()
        .forEach(job ->
            job.spec()
                .vms()
                .forEach(vm ->
                    repositories
                        .computeIfAbsent(vm, _ -> new TreeSet<>())
                        .add(job.repository().text())));
    List<Place> places = new ArrayList<>();
    repositories.forEach((vm, urls) -> urls.forEach(url -> places.add(new Place(url, vm))));
    return places;
  }

  private void readAll() {
    List<Place> places = places();
    views.keySet().retainAll(Set.copyOf(places));
    places.forEach(this::read);
  }

  private void read(Place place) {
    try (Repository repository =
        Repository.adoptForReading(
            StoreUrl.parse(place.repository()).open(StoreUrl.Missing.REFUSE, clock))) {
      Catalogue catalogue = repository.catalogue(place.vm());
      views.put(
          place,
          new VmView(
              place.vm(),
              place.repository(),
              catalogue.points().stream()
                  .map(point -> PointView.of(catalogue, point))
                  .sorted(Comparator.comparing(PointView::id))
                  .toList(),
              catalogue.unreadable().size(),
              clock.instant(),
              Optional.empty()));
    } catch (IOException | RuntimeException e) {
      VmView before = views.get(place);
      views.put(
          place,
          new VmView(
              place.vm(),
              place.repository(),
              before == null ? List.of() : before.points(),
              before == null ? 0 : before.unreadable(),
              before == null ? clock.instant() : before.seen(),
              Optional.of(String.valueOf(e.getMessage()))));
    }
  }

  @Override
  public Progress begun(RunRequest request) {
    return Progress.NONE;
  }

  @Override
  public void ended(RunRequest request, RunReport report) {
    Configuration.Job job = configuration.get().jobs().get(request.job());
    if (job != null && !reader.isShutdown()) {
      reader.execute(() -> read(new Place(job.repository().text(), request.vm())));
    }
  }

  @Override
  public void scheduled(ScheduleEvent event) {}

  @Override
  public void close() {
    reader.shutdownNow();
  }
}
