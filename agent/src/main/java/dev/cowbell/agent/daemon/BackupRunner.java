package dev.cowbell.agent.daemon;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.backup.BackupResult;
import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.config.HookCommand;
import dev.cowbell.agent.config.Verification;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.CancelledException;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.prune.PruneReport;
import dev.cowbell.agent.prune.PruneRequest;
import dev.cowbell.agent.prune.PruneSettings;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.schedule.JobRunner;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.source.Decryption;
import dev.cowbell.agent.source.HostName;
import dev.cowbell.agent.verify.VerifyReport;
import dev.cowbell.qcow2.overlay.MergeLimits;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does a run of a job: its hooks, and between them the backup of one VM and the pruning of it, or
 * the verification of its points.
 */
final class BackupRunner implements JobRunner {

  private static final Logger LOG = LoggerFactory.getLogger(BackupRunner.class);

  private static final byte[] NO_INPUT = {};

  private final Supplier<Configuration> configuration;
  private final Repositories repositories;
  private final RunObserver observer;
  private final Clock clock;
  private final String version;

  /**
   * @param configuration what is in force when a run begins
   * @param observer is told of each run
   * @param version of Cowbell, kept with the points
   */
  BackupRunner(
      Supplier<Configuration> configuration,
      Repositories repositories,
      RunObserver observer,
      Clock clock,
      String version) {
    this.configuration = configuration;
    this.repositories = repositories;
    this.observer = observer;
    this.clock = clock;
    this.version = version;
  }

  @Override
  public RunOutcome run(RunRequest request, Cancellation cancellation) throws InterruptedException {
    Progress progress = observer.begun(request);
    Instant started = clock.instant();
    Configuration.Job job = configuration.get().jobs().get(request.job());
    Attempt attempt = new Attempt(request, cancellation, progress);
    RunOutcome outcome =
        job == null
            ? new RunOutcome.Failed("no such job is configured", RunOutcome.Again.HOPELESS)
            : attempt.run(job);
    observer.ended(
        request,
        new RunReport(
            started,
            clock.instant(),
            outcome,
            attempt.result.map(BackupResult::manifest),
            attempt.verified,
            attempt.warnings));
    return outcome;
  }

  /** One run under way. */
  private final class Attempt {
    private final RunRequest request;
    private final Cancellation cancellation;
    private final Progress progress;
    private final List<String> warnings = new ArrayList<>();
    private Optional<BackupResult> result = Optional.empty();
    private Optional<VerifyReport> verified = Optional.empty();

    Attempt(RunRequest request, Cancellation cancellation, Progress progress) {
      this.request = request;
      this.cancellation = cancellation;
      this.progress = progress;
    }

    RunOutcome run(Configuration.Job job) throws InterruptedException {
      Optional<HookCommand> before = job.hooks().before();
      if (before.isPresent()) {
        try {
          new ExternalCommand("before hook", before.get()).run(facts("begins"), NO_INPUT);
        } catch (IOException e) {
          return failed(e);
        }
      }
      RunOutcome outcome = guarded(job);
      Optional<HookCommand> after = job.hooks().after();
      if (after.isPresent()) {
        try {
          new ExternalCommand("after hook", after.get()).run(facts(word(outcome)), NO_INPUT);
        } catch (IOException e) {
          warnings.add(String.valueOf(e.getMessage()));
        }
      }
      return outcome;
    }

    private RunOutcome guarded(Configuration.Job job) {
      try {
        if (job.verification().isPresent()) {
          return verify(job, job.verification().get());
        }
        backUp(job);
        return new RunOutcome.Done();
      } catch (CancelledException _) {
        return new RunOutcome.Stopped();
      } catch (IOException | RuntimeException e) {
        return failed(e);
      }
    }

    private RunOutcome verify(Configuration.Job job, Verification wanted) throws IOException {
      try (Repository repository = repositories.open(job.repository(), job.bytesPerSecond())) {
        verified =
            new VerificationRun(repository, job, wanted, request.vm())
                .run(clock.instant(), progress, cancellation, warnings);
      }
      return verified.isEmpty() || verified.get().damage().isEmpty()
          ? new RunOutcome.Done()
          : new RunOutcome.Failed(VerificationRun.told(verified.get()), RunOutcome.Again.HOPELESS);
    }

    private void backUp(Configuration.Job job) throws IOException {
      try (Repository repository = repositories.open(job.repository(), job.bytesPerSecond())) {
        BackupSettings settings =
            new BackupSettings(
                clock,
                new PointIds(clock, new SecureRandom()),
                HostName.current(),
                version,
                progress,
                cancellation,
                Moment.Observer.NONE);
        BackupResult made = new Backup(repository, settings).run(backup(job));
        result = Optional.of(made);
        warnings.addAll(made.warnings());
        prune(repository, job);
      }
    }

    /** The point is made: what goes wrong from here on is no failure of the backup. */
    private void prune(Repository repository, Configuration.Job job) throws CancelledException {
      Optional<Configuration.Pruning> pruning = configuration.get().pruning(job, request.vm());
      if (pruning.isEmpty()) {
        return;
      }
      PruneSettings settings =
          new PruneSettings(
              clock,
              HostName.current(),
              MergeLimits.USUAL,
              progress,
              cancellation,
              PruneMoment.Observer.NONE);
      PruneRequest wanted =
          new PruneRequest(
              pruning.get().retention(), pruning.get().maxChain(), PruneRequest.USUAL_SWEEP_AGE);
      try {
        PruneReport report = new Prune(repository, settings).run(request.vm(), wanted);
        LOG.atInfo()
            .addKeyValue("vm", request.vm())
            .addKeyValue("removed", report.removed().size())
            .addKeyValue("merges", report.merges().size())
            .log("pruned");
        warnings.addAll(report.problems());
      } catch (CancelledException e) {
        throw e;
      } catch (IOException | RuntimeException e) {
        LOG.debug("pruning {} failed", request.vm(), e);
        warnings.add("pruning failed, the next run tries again: " + why(e));
      }
    }

    private BackupRequest backup(Configuration.Job job) throws NotFoundException {
      var images = configuration.get().vms().get(request.vm());
      if (images == null) {
        throw new NotFoundException("no VM " + request.vm() + " is configured");
      }
      List<BackupRequest.Disk> disks = new ArrayList<>();
      images.forEach(
          (disk, image) -> disks.add(new BackupRequest.Disk(disk, image, Optional.empty())));
      Map<String, String> labels = new LinkedHashMap<>(job.labels());
      labels.putIfAbsent(JobHistory.JOB_LABEL, request.job().value());
      return new BackupRequest(
          request.vm(),
          disks,
          Optional.empty(),
          BackupRequest.Extent.AUTO,
          Optional.empty(),
          labels,
          Decryption.NONE,
          job.provePercent());
    }

    private RunOutcome failed(Exception e) {
      LOG.debug("{} of {} failed", request.job(), request.vm(), e);
      RunOutcome.Again again =
          e instanceof RefusedException || e instanceof NotFoundException
              ? RunOutcome.Again.HOPELESS
              : RunOutcome.Again.MAY_HELP;
      return new RunOutcome.Failed(why(e), again);
    }

    /** The two commonest of a file's troubles have no words of their own in Java. */
    private static String why(Exception e) {
      return switch (e) {
        case NoSuchFileException missing -> missing.getFile() + ": no such file or directory";
        case AccessDeniedException denied -> denied.getFile() + ": permission denied";
        default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
      };
    }

    private Map<String, String> facts(String state) {
      Map<String, String> facts = new HashMap<>();
      facts.put("COWBELL_JOB", request.job().value());
      facts.put("COWBELL_VM", request.vm().value());
      facts.put("COWBELL_STATE", state);
      facts.put("COWBELL_POINT", result.map(made -> made.manifest().point().value()).orElse(""));
      return facts;
    }

    private static String word(RunOutcome outcome) {
      return switch (outcome) {
        case RunOutcome.Done() -> "done";
        case RunOutcome.Failed _ -> "failed";
        case RunOutcome.Stopped() -> "stopped";
      };
    }
  }
}
