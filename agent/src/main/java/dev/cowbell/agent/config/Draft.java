package dev.cowbell.agent.config;

import dev.cowbell.agent.config.Shapes.Located;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.CalendarPeriod;
import dev.cowbell.agent.retention.CalendarSpan;
import dev.cowbell.agent.retention.LabelSelector;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.MisfirePolicy;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.Window;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The file as read section by section, before one part is checked against another.
 *
 * @param agent the agent's own settings
 * @param repositories repositories by the names that jobs use
 * @param vms the images of each VM, by disk
 * @param jobs the jobs
 * @param channels who is told what
 */
record Draft(
    Optional<Configuration.Agent> agent,
    Map<String, RepositoryUrl> repositories,
    Map<VmName, Map<DiskName, Located<Path>>> vms,
    Map<JobName, Job> jobs,
    Map<String, Channel> channels) {

  record Job(
      Located<String> repository,
      List<Located<VmName>> vms,
      Schedule schedule,
      List<Window> windows,
      RetryPolicy retry,
      Optional<Integer> concurrency,
      OptionalLong bytesPerSecond,
      Optional<Retention> retention,
      Map<String, String> labels,
      double provePercent,
      Hooks hooks,
      Optional<Verification> verification) {}

  record Channel(
      dev.cowbell.agent.config.Channel.Receiver receiver,
      Set<dev.cowbell.agent.config.Channel.Occasion> on,
      Duration staleAfter,
      List<Located<JobName>> jobs,
      Duration atMostEvery) {}

  /** Exactly one of {@code cron} and {@code every} is present. */
  record Schedule(
      Optional<String> cron,
      Optional<Duration> every,
      Optional<ZoneId> zone,
      Duration jitter,
      MisfirePolicy misfire) {}

  record Retention(
      int last,
      Map<CalendarPeriod, Integer> periods,
      Optional<CalendarSpan> within,
      List<LabelSelector> labels,
      int minimum,
      OptionalInt maxChain) {}
}
