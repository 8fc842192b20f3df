package dev.cowbell.agent.daemon;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.config.Verification;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VerifiedRecord;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.verify.Damage;
import dev.cowbell.agent.verify.RollingCover;
import dev.cowbell.agent.verify.Sample;
import dev.cowbell.agent.verify.Verify;
import dev.cowbell.agent.verify.VerifyReport;
import dev.cowbell.agent.verify.VerifyRequest;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Verifies a VM's points for a job. How far a rolling check has come is written down only when all
 * was well: what was damaged is looked at again by each run, until it is well or gone.
 */
final class VerificationRun {

  private static final int NAMED = 3;

  private final Repository repository;
  private final Configuration.Job job;
  private final Verification verification;
  private final VmName vm;

  VerificationRun(
      Repository repository, Configuration.Job job, Verification verification, VmName vm) {
    this.repository = repository;
    this.job = job;
    this.verification = verification;
    this.vm = vm;
  }

  /**
   * Verifies.
   *
   * @param warnings gets what deserves a look
   * @return empty if there is nothing to verify
   */
  Optional<VerifyReport> run(
      Instant now, Progress progress, Cancellation cancellation, List<String> warnings)
      throws IOException {
    Sample sample = sample(now, warnings);
    VerifyReport report;
    try {
      report =
          new Verify(repository, progress, cancellation)
              .run(
                  new VerifyRequest(
                      Optional.of(vm), Optional.empty(), verification.level(), sample));
    } catch (NotFoundException e) {
      warnings.add("nothing to verify: " + e.getMessage());
      return Optional.empty();
    }
    if (report.damage().isEmpty()) {
      try {
        VerifiedRecord.write(repository.store(), vm, job.spec().name().value(), now);
      } catch (IOException e) {
        warnings.add("the next run verifies the same again: " + e.getMessage());
      }
    }
    return Optional.of(report);
  }

  private Sample sample(Instant now, List<String> warnings) throws IOException {
    Optional<RollingCover> cover =
        verification.within().flatMap(within -> RollingCover.of(job.spec(), within));
    if (cover.isEmpty()) {
      return new Sample.Everything();
    }
    Optional<Instant> covered = Optional.empty();
    try {
      covered = VerifiedRecord.read(repository.store(), vm, job.spec().name().value());
    } catch (DamagedObjectException e) {
      warnings.add("how far the verification has come is not known: " + e.getMessage());
      return new Sample.Everything();
    }
    return cover.get().sample(covered, now);
  }

  /** Damage in a sentence; {@code cowbell verify} tells all of it. */
  static String told(VerifyReport report) {
    return "%d object%s damaged or missing: %s%s"
        .formatted(
            report.damage().size(),
            report.damage().size() == 1 ? "" : "s",
            report.damage().stream()
                .limit(NAMED)
                .map(VerificationRun::told)
                .collect(Collectors.joining("; ")),
            report.damage().size() > NAMED ? "; cowbell verify lists all" : "");
  }

  private static String told(Damage damage) {
    List<PointId> touched = damage.touches();
    return damage.object()
        + " "
        + damage.problem()
        + (touched.isEmpty()
            ? ""
            : ", which "
                + touched.size()
                + (touched.size() == 1 ? " point" : " points")
                + " needs");
  }
}
