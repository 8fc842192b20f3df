package dev.cowbell.agent.status;

import dev.cowbell.agent.daemon.RunObserver;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;

/** What Prometheus reads. Names begin with {@code cowbell_}; docs/agent.md lists them. */
public final class RunMetrics implements RunObserver {

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final Counter runs =
      Counter.builder()
          .name("cowbell_runs_total")
          .help("Runs that are over")
          .labelNames("job", "vm", "outcome")
          .register(registry);
  private final Counter changed =
      Counter.builder()
          .name("cowbell_changed_bytes_total")
          .help("Guest bytes that backups copied")
          .labelNames("job", "vm")
          .register(registry);
  private final Counter stored =
      Counter.builder()
          .name("cowbell_backup_stored_bytes_total")
          .help("Bytes that backups stored")
          .labelNames("job", "vm")
          .register(registry);
  private final Counter verifiedBytes =
      Counter.builder()
          .name("cowbell_verified_bytes_total")
          .help("Bytes that verification jobs read")
          .labelNames("job", "vm")
          .register(registry);
  private final Gauge verifiedAt =
      Gauge.builder()
          .name("cowbell_verified_timestamp_seconds")
          .help("When a verification last found all well")
          .labelNames("job", "vm")
          .register(registry);
  private final Gauge damaged =
      Gauge.builder()
          .name("cowbell_verified_damaged_objects")
          .help("Objects that the last verification found damaged or missing")
          .labelNames("job", "vm")
          .register(registry);
  private final Counter notifications =
      Counter.builder()
          .name("cowbell_notifications_total")
          .help("Messages to people, by whether they were delivered")
          .labelNames("channel", "outcome")
          .register(registry);
  private final Gauge duration =
      Gauge.builder()
          .name("cowbell_last_run_duration_seconds")
          .help("How long the last run took")
          .labelNames("job", "vm")
          .register(registry);
  private final Gauge lastEnd =
      Gauge.builder()
          .name("cowbell_last_run_timestamp_seconds")
          .help("When the last run ended, by outcome")
          .labelNames("job", "vm", "outcome")
          .register(registry);

  /**
   * @param board tells what runs
   * @param watch tells what the repositories hold
   */
  public RunMetrics(RunBoard board, RepositoryWatch watch) {
    GaugeWithCallback.builder()
        .name("cowbell_running")
        .help("Runs under way on this agent")
        .callback(gauge -> gauge.call(board.running().size()))
        .register(registry);
    GaugeWithCallback.builder()
        .name("cowbell_newest_point_timestamp_seconds")
        .help("When the newest restore point was made; 0 if there is none")
        .labelNames("vm", "repository")
        .callback(gauge ->
            watch
                .views()
                .forEach(view ->
                    gauge.call(
                        view.newest()
                            .map(point -> (double) point.time().getEpochSecond())
                            .orElse(0.0),
                        view.vm().value(),
                        view.repository())))
        .register(registry);
    GaugeWithCallback.builder()
        .name("cowbell_points")
        .help("Restore points")
        .labelNames("vm", "repository")
        .callback(gauge ->
            watch
                .views()
                .forEach(
                    view -> gauge.call(view.points().size(), view.vm().value(), view.repository())))
        .register(registry);
    GaugeWithCallback.builder()
        .name("cowbell_points_unreadable")
        .help("Manifests that can't be used")
        .labelNames("vm", "repository")
        .callback(gauge ->
            watch
                .views()
                .forEach(
                    view -> gauge.call(view.unreadable(), view.vm().value(), view.repository())))
        .register(registry);
    GaugeWithCallback.builder()
        .name("cowbell_stored_bytes")
        .help("What all restore points of a VM take in the store")
        .labelNames("vm", "repository")
        .callback(gauge ->
            watch
                .views()
                .forEach(view ->
                    gauge.call((double) view.storedBytes(), view.vm().value(), view.repository())))
        .register(registry);
    GaugeWithCallback.builder()
        .name("cowbell_repository_reachable")
        .help("Whether the repository could be read the last time: 1 or 0")
        .labelNames("vm", "repository")
        .callback(gauge ->
            watch
                .views()
                .forEach(view ->
                    gauge.call(
                        view.problem().isEmpty() ? 1 : 0, view.vm().value(), view.repository())))
        .register(registry);
  }

  @Override
  public Progress begun(RunRequest request) {
    return Progress.NONE;
  }

  @Override
  public void ended(RunRequest request, RunReport report) {
    String job = request.job().value();
    String vm = request.vm().value();
    String outcome =
        switch (report.outcome()) {
          case RunOutcome.Done() -> "done";
          case RunOutcome.Failed _ -> "failed";
          case RunOutcome.Stopped() -> "stopped";
        };
    runs.labelValues(job, vm, outcome).inc();
    lastEnd.labelValues(job, vm, outcome).set((double) report.ended().getEpochSecond());
    duration
        .labelValues(job, vm)
        .set(Duration.between(report.started(), report.ended()).toMillis() / 1000.0);
    report
        .verified()
        .ifPresent(verified -> {
          verifiedBytes.labelValues(job, vm).inc((double) verified.bytesRead());
          damaged.labelValues(job, vm).set(verified.damage().size());
          if (verified.damage().isEmpty()) {
            verifiedAt.labelValues(job, vm).set((double) report.ended().getEpochSecond());
          }
        });
    report
        .point()
        .ifPresent(point -> {
          changed.labelValues(job, vm).inc((double) point.changedBytes());
          stored.labelValues(job, vm).inc((double) point.storedBytes());
        });
  }

  @Override
  public void scheduled(ScheduleEvent event) {}

  /** Counts a message that was delivered, or could not be. */
  public void notified(String channel, boolean delivered) {
    notifications.labelValues(channel, delivered ? "delivered" : "failed").inc();
  }

  /** The content type of {@link #text}. */
  static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

  /** Everything in Prometheus's text format. */
  String text() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ExpositionFormats.init().getPrometheusTextFormatWriter().write(out, registry.scrape());
    return out.toString(StandardCharsets.UTF_8);
  }

  static String lower(Enum<?> word) {
    return word.name().toLowerCase(Locale.ROOT);
  }
}
