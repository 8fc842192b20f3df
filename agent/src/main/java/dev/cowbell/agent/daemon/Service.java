package dev.cowbell.agent.daemon;

import dev.cowbell.agent.config.ConfigException;
import dev.cowbell.agent.config.ConfigFile;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.JobScheduler;
import dev.cowbell.agent.schedule.SchedulerOptions;
import dev.cowbell.agent.source.HostName;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent at work: from {@link #start} on it runs the jobs of a configuration file as they become
 * due. Thread-safe.
 */
public final class Service {

  private static final Logger LOG = LoggerFactory.getLogger(Service.class);

  private final Path file;
  private final JobScheduler scheduler;
  private final Current current;
  private final Repositories repositories;

  /** What is in force; a run keeps to what it began with. */
  private static final class Current implements Supplier<Configuration> {
    private volatile Configuration configuration;

    Current(Configuration configuration) {
      this.configuration = configuration;
    }

    @Override
    public Configuration get() {
      return configuration;
    }
  }

  private Service(Path file, JobScheduler scheduler, Current current, Repositories repositories) {
    this.file = file;
    this.scheduler = scheduler;
    this.current = current;
    this.repositories = repositories;
  }

  /**
   * Reads the file and begins to run its jobs.
   *
   * @param environment where secrets may be
   * @param observers are told what happens, besides the log
   * @param version of Cowbell
   * @throws ConfigException with every problem of the file
   */
  public static Service start(
      Path file,
      Function<String, Optional<String>> environment,
      List<RunObserver> observers,
      Clock clock,
      String version)
      throws IOException, ConfigException {
    Current current = new Current(ConfigFile.load(file));
    Configuration.Agent agent = current.get().agent();
    Repositories repositories = new Repositories(clock);
    repositories.limit(agent.bytesPerSecond());
    List<RunObserver> all = new ArrayList<>(observers);
    all.add(new RunLog());
    RunObserver observer = RunObserver.all(all);
    JobScheduler scheduler =
        JobScheduler.open(
            options(agent, environment),
            new BackupRunner(current, repositories, observer, clock, version),
            new JobHistory(current, repositories),
            observer::scheduled,
            clock);
    Service service = new Service(file, scheduler, current, repositories);
    service.apply();
    scheduler.start();
    return service;
  }

  private static SchedulerOptions options(
      Configuration.Agent agent, Function<String, Optional<String>> environment) {
    String cluster =
        agent.jobStore() instanceof Configuration.JobStore.Postgresql shared
            ? shared.cluster()
            : "cowbell";
    return new SchedulerOptions(
        cluster,
        agent.name().orElseGet(HostName::current),
        agent.concurrency(),
        JobStores.of(agent.jobStore(), environment),
        SchedulerOptions.Pace.DEFAULT);
  }

  private void apply() throws IOException {
    scheduler.apply(current.get().jobs().values().stream().map(Configuration.Job::spec).toList());
    LOG.atInfo()
        .addKeyValue("file", file)
        .addKeyValue("jobs", current.get().jobs().size())
        .log("configuration in force");
  }

  /** What is in force. */
  public Configuration configuration() {
    return current.get();
  }

  /** The scheduler, for what is running and what is asked for. */
  public JobScheduler scheduler() {
    return scheduler;
  }

  /**
   * Reads the file again and goes on by it; runs under way are not touched. A file with problems
   * changes nothing: they are logged, and what was in force stays in force.
   *
   * @return whether the file is in force now
   */
  public synchronized boolean reload() {
    Configuration before = current.get();
    Configuration after;
    try {
      after = ConfigFile.load(file);
    } catch (ConfigException e) {
      e.problems().forEach(problem -> LOG.error("{}", problem.line(e.file())));
      LOG.error("the configuration stays as it was");
      return false;
    } catch (IOException e) {
      LOG.error("the configuration stays as it was: {} can't be read: {}", file, e.getMessage());
      return false;
    }
    if (!fixed(before.agent()).equals(fixed(after.agent()))) {
      LOG.warn("agent: name, concurrency and job-store change when the agent is started again");
    }
    current.configuration = after;
    repositories.limit(after.agent().bytesPerSecond());
    try {
      apply();
      return true;
    } catch (IOException e) {
      LOG.error("the schedule could not be changed, try again: {}", e.getMessage());
      return false;
    }
  }

  private static List<Object> fixed(Configuration.Agent agent) {
    return List.of(agent.name(), agent.concurrency(), agent.jobStore());
  }

  /**
   * Runs a job for all its VMs as soon as there is room, whatever its windows say.
   *
   * @throws IllegalArgumentException when there is no such job
   */
  public void runNow(JobName job) throws IOException {
    scheduler.runNow(job);
  }

  /**
   * Starts nothing more, lets runs finish for as long as the configuration says, and then asks them
   * to stop.
   *
   * @return whether all runs came to an end
   */
  public boolean stop() throws IOException, InterruptedException {
    return scheduler.stop(current.get().agent().stopWithin());
  }
}
