package dev.cowbell.agent.cli;

import dev.cowbell.agent.config.Channel;
import dev.cowbell.agent.config.ConfigException;
import dev.cowbell.agent.config.ConfigFile;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.daemon.OneJob;
import dev.cowbell.agent.daemon.RunObserver;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.daemon.Service;
import dev.cowbell.agent.daemon.ServiceManager;
import dev.cowbell.agent.daemon.Signals;
import dev.cowbell.agent.notify.Notifier;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import dev.cowbell.agent.source.HostName;
import dev.cowbell.agent.status.RepositoryWatch;
import dev.cowbell.agent.status.RunBoard;
import dev.cowbell.agent.status.RunMetrics;
import dev.cowbell.agent.status.StatusServer;
import dev.cowbell.agent.status.VmView;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code cowbell agent}. */
@Command(
    name = "agent",
    description = {
      "Runs the jobs of a configuration file as they become due, until it is stopped.",
      "SIGHUP: read the file again. SIGTERM: let runs finish, then end."
    })
final class AgentCommand extends CowbellCommand {

  private static final long POLL_MILLIS = 200;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      required = true,
      description = "The configuration file.")
  private Path file = Path.of("");

  @Option(
      names = "--once",
      paramLabel = "JOB",
      description = "Run this job once, now, for each of its VMs, and end.")
  private @Nullable String once;

  @Option(
      names = "--log-format",
      paramLabel = "text|json",
      description = "How the log is written; text by default.")
  private LogFormat logFormat = LogFormat.TEXT;

  /** What a signal asks for. */
  private enum Wish {
    RELOAD,
    STOP
  }

  @Override
  protected ExitCode run() throws Exception {
    logFormat.apply();
    if (LogLevel.current() == LogLevel.WARN) {
      LogLevel.INFO.apply(); // nobody watches a service: its log has to tell what it did
    }
    try {
      return once == null ? serve() : runOnce(once);
    } catch (ConfigException e) {
      e.problems().forEach(p -> console().err().println(OneLine.of(p.line(e.file()))));
      return ExitCode.FAILED;
    }
  }

  private ExitCode serve() throws IOException, ConfigException, InterruptedException {
    ServiceManager manager = new ServiceManager(console().environment().apply("NOTIFY_SOCKET"));
    LinkedBlockingQueue<Wish> wishes = new LinkedBlockingQueue<>();
    Signals.on("HUP", () -> wishes.add(Wish.RELOAD));
    Signals.on("TERM", () -> wishes.add(Wish.STOP));
    Signals.on("INT", () -> wishes.add(Wish.STOP));
    Configuration first = ConfigFile.load(file);
    RunBoard board = new RunBoard(console().clock());
    AtomicReference<Configuration> shown = new AtomicReference<>(first);
    try (RepositoryWatch watch = new RepositoryWatch(shown::get, console().clock())) {
      RunMetrics metrics = new RunMetrics(board, watch);
      Notifier notifier = notifier(first, shown::get, watch::views, metrics::notified);
      Service service =
          Service.start(
              file,
              console().environment(),
              List.of(board, watch, metrics, notifier),
              console().clock(),
              Version.current());
      notifier.start();
      startWatching(watch, first);
      Optional<StatusServer> status = Optional.empty();
      if (first.agent().status().isPresent()) {
        status =
            Optional.of(
                StatusServer.start(
                    first.agent().status().get(),
                    new StatusServer.Facts(
                        first.agent().name().orElseGet(HostName::current),
                        Version.current(),
                        service::configuration,
                        board,
                        watch,
                        metrics,
                        service::runNow,
                        console().clock())));
      }
      try {
        return serve(service, manager, wishes, shown, watch);
      } finally {
        notifier.close();
        status.ifPresent(StatusServer::close);
      }
    }
  }

  private Notifier notifier(
      Configuration first,
      Supplier<Configuration> configuration,
      Supplier<List<VmView>> views,
      Notifier.Tally tally) {
    return new Notifier(
        first.agent().name().orElseGet(HostName::current),
        configuration,
        views,
        console().environment(),
        tally,
        console().clock());
  }

  /** Reading costs requests: nothing is read unless somebody looks. */
  private static void startWatching(RepositoryWatch watch, Configuration configuration) {
    if (configuration.agent().status().isPresent()
        || configuration.channels().stream()
            .anyMatch(channel -> channel.on().contains(Channel.Occasion.STALE))) {
      watch.start();
    }
  }

  private ExitCode serve(
      Service service,
      ServiceManager manager,
      LinkedBlockingQueue<Wish> wishes,
      AtomicReference<Configuration> shown,
      RepositoryWatch watch)
      throws IOException, InterruptedException {
    manager.ready(status(service));
    for (Wish wish = Wish.RELOAD; wish != Wish.STOP; ) {
      wish = next(wishes);
      if (wish == Wish.RELOAD) {
        manager.reloading();
        service.reload();
        shown.set(service.configuration());
        startWatching(watch, service.configuration());
        manager.ready(status(service));
      }
    }
    manager.stopping(2 * service.configuration().agent().stopWithin().toSeconds());
    if (service.stop()) {
      return ExitCode.DONE;
    }
    console().err().println("cowbell agent: gave up waiting for runs to end");
    return ExitCode.FAILED;
  }

  private Wish next(LinkedBlockingQueue<Wish> wishes) throws InterruptedException {
    while (true) {
      Wish wish = wishes.poll(POLL_MILLIS, TimeUnit.MILLISECONDS);
      if (wish != null) {
        return wish;
      }
      if (cancellation().isRequested()) {
        return Wish.STOP;
      }
    }
  }

  private static String status(Service service) {
    int jobs = service.configuration().jobs().size();
    return jobs + (jobs == 1 ? " job" : " jobs");
  }

  private ExitCode runOnce(String name)
      throws IOException, ConfigException, CommandFailedException, InterruptedException {
    Configuration configuration = ConfigFile.load(file);
    JobName job =
        configuration.jobs().keySet().stream()
            .filter(known -> known.value().equals(name))
            .findFirst()
            .orElseThrow(() ->
                CommandFailedException.because(
                    ExitCode.NOT_FOUND,
                    "--once: no job is named %s; %s has %s"
                        .formatted(
                            name,
                            file,
                            String.join(
                                ", ",
                                configuration.jobs().keySet().stream()
                                    .map(JobName::value)
                                    .toList()))));
    Summary summary = new Summary();
    Notifier notifier = notifier(configuration, () -> configuration, List::of, Notifier.Tally.NONE);
    Map<VmName, RunOutcome> outcomes;
    try {
      outcomes =
          new OneJob(
                  configuration,
                  RunObserver.all(List.of(summary, notifier)),
                  console().clock(),
                  Version.current(),
                  cancellation())
              .run(job);
    } finally {
      if (cancellation().isRequested()) {
        notifier.close();
      } else {
        notifier.finish();
      }
    }
    return summary.exitCode(outcomes);
  }

  /** Prints a line for each run. */
  private final class Summary implements RunObserver {
    private boolean warned;

    @Override
    public Progress begun(RunRequest request) {
      return progress();
    }

    @Override
    public void ended(RunRequest request, RunReport report) {
      report.warnings().forEach(console()::warn);
      warned |= !report.warnings().isEmpty();
      report
          .point()
          .ifPresent(point ->
              console()
                  .out()
                  .printf(
                      "%s: point %s, %s, %s stored%n",
                      point.vm(),
                      point.point(),
                      point.kind().word(),
                      ByteSize.human(point.storedBytes())));
      if (report.outcome() instanceof RunOutcome.Failed failed) {
        console().err().println("cowbell agent: " + OneLine.of(request.vm() + ": " + failed.why()));
      }
    }

    @Override
    public void scheduled(ScheduleEvent event) {}

    ExitCode exitCode(Map<VmName, RunOutcome> outcomes) {
      if (outcomes.values().stream().anyMatch(RunOutcome.Stopped.class::isInstance)) {
        return ExitCode.INTERRUPTED;
      }
      if (outcomes.values().stream().anyMatch(RunOutcome.Failed.class::isInstance)) {
        return ExitCode.FAILED;
      }
      return warned ? ExitCode.WARNINGS : ExitCode.DONE;
    }
  }
}
