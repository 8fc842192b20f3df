package dev.cowbell.agent.verify;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.digests.DigestsCheck;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.observe.Progress.Phase;
import dev.cowbell.agent.repository.BrokenChainException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.Catalogue.Unreadable;
import dev.cowbell.agent.repository.Concurrently;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskChain.Link;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.Leases;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Reach;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredManifest;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.PreconditionFailedException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;

/** Looks at everything that points need, and tells what is missing or not as it was stored. */
public final class Verify {

  private static final int WIDTH = 4;

  private final Repository repository;
  private final Progress progress;
  private final Cancellation cancellation;

  public Verify(Repository repository, Progress progress, Cancellation cancellation) {
    this.repository = repository;
    this.progress = progress;
    this.cancellation = cancellation;
  }

  /** Verifies; damage is what it reports, not a failure. */
  public VerifyReport run(VerifyRequest request) throws IOException {
    request.check();
    Run run = new Run(request);
    repository
        .descriptorProblem()
        .ifPresent(problem ->
            run.damage.add(
                new Damage(
                    Layout.DESCRIPTOR, Optional.empty(), Optional.empty(), problem, List.of())));
    List<VmName> vms = request.vm().isPresent() ? List.of(request.vm().get()) : repository.vms();
    for (VmName vm : vms) {
      run.survey(repository.catalogue(vm));
    }
    run.checkOverlays();
    return run.report();
  }

  /** An overlay to look at. */
  private record Job(Catalogue catalogue, Link link) {}

  /** One verification under way. */
  private final class Run {
    private final VerifyRequest request;
    private final Map<ObjectKey, Job> jobs = new LinkedHashMap<>();
    private final List<Damage> damage = new ArrayList<>();
    private final Set<ObjectKey> lostManifests = new HashSet<>();
    private final List<ObjectKey> unreferenced = new ArrayList<>();
    private int points;
    private final LongAdder bytesRead = new LongAdder();

    Run(VerifyRequest request) {
      this.request = request;
    }

    void survey(Catalogue catalogue) throws IOException {
      if (request.vm().isPresent()
          && catalogue.points().isEmpty()
          && catalogue.unreadable().isEmpty()) {
        throw new NotFoundException("VM %s has no restore points".formatted(catalogue.vm()));
      }
      if (request.point().isPresent()) {
        survey(catalogue, catalogue.resolve(request.point().get()));
        return;
      }
      Leases.damage(repository, catalogue.vm())
          .ifPresent(bad ->
              damage.add(
                  new Damage(
                      bad.key(),
                      Optional.of(catalogue.vm()),
                      Optional.empty(),
                      bad.problem() + "; cowbell unlock --force replaces it",
                      List.of())));
      for (Unreadable bad : catalogue.unreadable()) {
        addManifest(catalogue, bad.point(), bad.key(), bad.problem());
      }
      for (Manifest point : catalogue.points()) {
        survey(catalogue, point);
      }
      unreferenced.addAll(Leftovers.of(repository.store(), catalogue));
    }

    private void survey(Catalogue catalogue, Manifest point) throws IOException {
      points++;
      for (DiskRecord disk : point.disks()) {
        add(catalogue, new Link(point.point(), disk));
        try {
          catalogue.chain(point, disk.name()).links().forEach(link -> add(catalogue, link));
        } catch (BrokenChainException e) {
          Layout.pointOfManifest(catalogue.vm(), e.key())
              .ifPresent(lost -> addManifest(catalogue, lost, e.key(), e.problem()));
        }
      }
    }

    private void add(Catalogue catalogue, Link link) {
      jobs.putIfAbsent(link.record().overlay().key(), new Job(catalogue, link));
    }

    private void addManifest(Catalogue catalogue, PointId point, ObjectKey key, String problem) {
      if (lostManifests.add(key)) {
        damage.add(
            new Damage(
                key,
                Optional.of(catalogue.vm()),
                Optional.empty(),
                problem,
                new Reach(catalogue).ofManifest(point)));
      }
    }

    void checkOverlays() throws IOException {
      boolean whole = request.level() == VerifyRequest.Level.DATA && request.sample().isWhole();
      long total = jobs.values().stream().mapToLong(j -> j.link().record().overlay().size()).sum();
      try (CodecPool pool = CodecPool.ofAllCores();
          Phase phase = progress.begin("verifying", whole ? total : -1)) {
        OverlayCheck check = new OverlayCheck(repository.store(), request, pool, cancellation);
        List<List<Damage>> found =
            Concurrently.map(List.copyOf(jobs.values()), WIDTH, job -> check(check, job, phase));
        found.forEach(damage::addAll);
      }
    }

    private List<Damage> check(OverlayCheck check, Job job, Phase phase) throws IOException {
      cancellation.check();
      OverlayCheck.Result result = check.check(job.link(), phase);
      bytesRead.add(result.bytesRead());
      DiskRecord disk = job.link().record();
      if (!result.problems().isEmpty()) {
        Optional<Link> now = present(job);
        if (now.isEmpty()) {
          return List.of();
        }
        if (!now.get().equals(job.link())) {
          return check(check, new Job(job.catalogue(), now.get()), phase);
        }
      }
      List<Damage> found = new ArrayList<>();
      if (result.problems().isEmpty()) {
        digestsDamage(job).ifPresent(found::add);
      }
      result.problems().stream()
          .map(problem ->
              new Damage(
                  disk.overlay().key(),
                  Optional.of(job.catalogue().vm()),
                  Optional.of(disk.name()),
                  problem,
                  new Reach(job.catalogue()).ofOverlay(job.link().point(), disk.name())))
          .forEach(found::add);
      return found;
    }

    /** Damaged digests cost no point anything; so no points are named. */
    private Optional<Damage> digestsDamage(Job job) throws IOException {
      DiskRecord disk = job.link().record();
      if (disk.digests().isEmpty()) {
        return Optional.empty();
      }
      VmName vm = job.catalogue().vm();
      Optional<String> problem = digestsProblem(job, disk);
      if (problem.isEmpty() || !present(job).equals(Optional.of(job.link()))) {
        return Optional.empty();
      }
      return Optional.of(
          new Damage(
              Layout.digests(vm, disk.name(), job.link().point()),
              Optional.of(vm),
              Optional.of(disk.name()),
              problem.get(),
              List.of()));
    }

    private Optional<String> digestsProblem(Job job, DiskRecord disk) throws IOException {
      DiskChain alone = new DiskChain(job.catalogue().vm(), disk.name(), List.of(job.link()));
      try {
        Optional<Manifest> point =
            repository.read(job.catalogue().vm(), job.link().point()).map(StoredManifest::manifest);
        if (point.isEmpty()) {
          return Optional.empty();
        }
        DigestsCheck check = new DigestsCheck(repository.store(), point.get().repository());
        Optional<String> problem = check.sealed(alone);
        boolean all = request.level() == VerifyRequest.Level.DATA && request.sample().isWhole();
        if (problem.isPresent() || !all) {
          return problem;
        }
        return check.recomputed(
            job.catalogue().chain(point.get(), disk.name()), _ -> cancellation.check());
      } catch (PreconditionFailedException | BrokenChainException | DamagedObjectException e) {
        // it is being replaced, or what is damaged below is told with its own object
        return Optional.empty();
      }
    }

    /** What the manifest says now: a prune may have merged the overlay meanwhile, or removed it. */
    private Optional<Link> present(Job job) throws IOException {
      try {
        return repository
            .read(job.catalogue().vm(), job.link().point())
            .flatMap(stored -> stored.manifest().disk(job.link().record().name()))
            .map(record -> new Link(job.link().point(), record));
      } catch (DamagedObjectException e) {
        return Optional.of(job.link());
      }
    }

    VerifyReport report() {
      return new VerifyReport(damage, unreferenced, points, jobs.size(), bytesRead.sum());
    }
  }
}
