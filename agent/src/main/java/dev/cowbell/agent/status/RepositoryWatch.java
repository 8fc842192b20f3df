package dev.cowbell.agent.status;

import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.daemon.RunObserver;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.observe.Progress;
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
import java.util.concurrent.atomic.AtomicBoolean;
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

  private final AtomicBoolean started = new AtomicBoolean();

  private record Place(String repository, VmName vm) {}

  /**
   * @param configuration what is in force at the moment
   */
  public RepositoryWatch(Supplier<Configuration> configuration, Clock clock) {
    this.configuration = configuration;
    this.clock = clock;
  }

  /** Begins to read; does nothing when it has begun already. */
  public void start() {
    if (started.getAndSet(true)) {
      return;
    }
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
              : VmView.unread(
                  place.vm(),
                  place.repository(),
                  Optional.empty(),
                  "not read yet",
                  clock.instant()));
    }
    return known;
  }

  /** Reads all there is on the caller's thread, and tells it. */
  public List<VmView> readNow() {
    readAll();
    return views();
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
      views.put(place, VmView.read(repository, place.vm(), place.repository(), clock.instant()));
    } catch (IOException | RuntimeException e) {
      views.put(
          place,
          VmView.unread(
              place.vm(),
              place.repository(),
              Optional.ofNullable(views.get(place)),
              String.valueOf(e.getMessage()),
              clock.instant()));
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
