package dev.cowbell.agent.config;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.JobSpec;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * A configuration that is right as far as can be seen without touching anything outside of it.
 *
 * @param agent the agent's own settings
 * @param vms the images of each VM, by disk
 * @param jobs what is to be done when, in the order of the file
 * @param channels who is told what
 */
public record Configuration(
    Agent agent,
    Map<VmName, Map<DiskName, Path>> vms,
    Map<JobName, Job> jobs,
    List<Channel> channels) {

  public Configuration {
    vms = Collections.unmodifiableMap(new LinkedHashMap<>(vms));
    jobs = Collections.unmodifiableMap(new LinkedHashMap<>(jobs));
    channels = List.copyOf(channels);
  }

  /**
   * What becomes of a VM's points in a job's repository after a run of it: what any job with
   * retention keeps there stays, with the shortest chains that one of them asks for.
   *
   * @return empty if the job removes nothing
   */
  public Optional<Pruning> pruning(Job job, VmName vm) {
    if (job.retention().isEmpty()) {
      return Optional.empty();
    }
    return jobs.values().stream()
        .filter(other -> other.repository().equals(job.repository()))
        .filter(other -> other.spec().vms().contains(vm) && other.retention().isPresent())
        .map(other -> new Pruning(other.retention().get(), other.maxChain()))
        .reduce(Pruning::or);
  }

  /**
   * What stays, and how.
   *
   * @param maxChain the most overlays that a point may consist of; any number when empty
   */
  public record Pruning(RetentionPolicy retention, OptionalInt maxChain) {

    Pruning or(Pruning other) {
      OptionalInt shortest = IntStream.concat(maxChain.stream(), other.maxChain.stream()).min();
      return new Pruning(retention.or(other.retention), shortest);
    }
  }

  /**
   * The agent's own settings.
   *
   * @param name names this agent; the host's name when empty
   * @param zone the zone for all times without one
   * @param concurrency how many runs it does at once
   * @param bytesPerSecond the most it sends to and fetches from stores
   * @param stopWithin how long runs may take to finish when the agent stops
   * @param jobStore where the schedule is kept
   * @param status the loopback address on which the status page is served; nowhere when empty
   */
  public record Agent(
      Optional<String> name,
      ZoneId zone,
      int concurrency,
      OptionalLong bytesPerSecond,
      Duration stopWithin,
      JobStore jobStore,
      Optional<InetSocketAddress> status) {}

  /** Where the schedule is kept. */
  public sealed interface JobStore {

    /** In the agent's memory. */
    record Memory() implements JobStore {}

    /**
     * In a PostgreSQL database.
     *
     * @param cluster agents with the same name share their jobs
     */
    record Postgresql(String url, String user, Optional<Secret> password, String cluster)
        implements JobStore {}
  }

  /**
   * A job.
   *
   * @param spec when it runs, for which VMs and within what limits
   * @param repository where its points go
   * @param bytesPerSecond the most each of its runs sends to the store
   * @param retention what is kept on its behalf; it removes nothing when empty
   * @param maxChain the most overlays that a point may consist of; any number when empty
   * @param labels labels of the points it makes
   * @param provePercent how much of what bitmaps call unchanged is compared, 0 to 100
   * @param hooks what is run around each of its runs
   * @param verification what it verifies; a job with one makes no points
   */
  public record Job(
      JobSpec spec,
      RepositoryUrl repository,
      OptionalLong bytesPerSecond,
      Optional<RetentionPolicy> retention,
      OptionalInt maxChain,
      Map<String, String> labels,
      double provePercent,
      Hooks hooks,
      Optional<Verification> verification) {

    public Job {
      labels = Collections.unmodifiableMap(new LinkedHashMap<>(labels));
    }
  }
}
