package dev.cowbell.agent.daemon;

import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VerifiedRecord;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.RunHistory;
import java.io.IOException;
import java.time.Instant;
import java.util.Comparator;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads from the repositories when a job last made a point of a VM, so that what was missed while
 * no agent ran is made up for even where the schedule is kept in memory only.
 */
final class JobHistory implements RunHistory {

  /** The label that tells which job made a point. */
  static final String JOB_LABEL = "cowbell.job";

  private static final Logger LOG = LoggerFactory.getLogger(JobHistory.class);

  private final Supplier<Configuration> configuration;
  private final Repositories repositories;

  JobHistory(Supplier<Configuration> configuration, Repositories repositories) {
    this.configuration = configuration;
    this.repositories = repositories;
  }

  @Override
  public Optional<Instant> lastRun(JobName name, VmName vm) {
    Configuration.Job job = configuration.get().jobs().get(name);
    if (job == null) {
      return Optional.empty();
    }
    try (Repository repository = repositories.open(job.repository(), OptionalLong.empty())) {
      if (job.verification().isPresent()) {
        return VerifiedRecord.read(repository.store(), vm, name.value());
      }
      return repository.catalogue(vm).points().stream()
          .filter(point -> name.value().equals(point.labels().get(JOB_LABEL)))
          .map(Manifest::time)
          .max(Comparator.naturalOrder());
    } catch (IOException e) {
      LOG.atWarn()
          .addKeyValue("job", name)
          .addKeyValue("vm", vm)
          .log("what was missed is not known: {}", e.getMessage());
      return Optional.empty();
    }
  }
}
