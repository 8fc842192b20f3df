package dev.cowbell.it.killed;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.backup.BackupResult;
import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.digests.ContentComparison;
import dev.cowbell.agent.digests.DigestChain;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.prune.PruneReport;
import dev.cowbell.agent.prune.PruneRequest;
import dev.cowbell.agent.prune.PruneSettings;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.LeaseHeldException;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredChain;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.overlay.MergeLimits;
import dev.cowbell.qcow2.overlay.OverlayChainDisk;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/**
 * One repository and one image, and agents that back up and prune, one after the other or two at
 * once, and die. It knows what the disk held at each backup that was tried, and which points may
 * not be lost.
 */
final class DyingAgents {

  /** Opens the repository's store as an agent of its own would. */
  @FunctionalInterface
  interface Opener {
    ObjectStore open(Clock clock) throws IOException;
  }

  static final VmName VM = new VmName("web");
  private static final DiskName DISK = new DiskName("vda");
  private static final MergeLimits FINE = new MergeLimits(16 << 10, 4 << 10);
  private static final int BACKUP_OPERATIONS = 30;
  private static final int PRUNE_OPERATIONS = 80;
  private static final int TRIES = 500;

  private final Opener opener;
  private final ChangingDisk disk;
  private final Random random;
  private final Queue<Life.Effect> late = new ConcurrentLinkedQueue<>();
  private final Map<PointId, String> tried = new ConcurrentHashMap<>();
  private final TreeSet<PointId> committed = new TreeSet<>();
  private final Map<String, Integer> deaths = new TreeMap<>();
  private int keptByTheLate = Integer.MAX_VALUE;
  private Clock clock = Clock.systemUTC();

  DyingAgents(Opener opener, ChangingDisk disk, Random random) throws IOException {
    this.opener = opener;
    this.disk = disk;
    this.random = random;
    try (ObjectStore store = opener.open(clock)) {
      Repository.init(store, clock);
    }
  }

  /** How often an agent died where, and how. */
  Map<String, Integer> deaths() {
    return deaths;
  }

  /** Rounds of changes and agents that may die, and at last some that don't. */
  void run(int rounds) throws Exception {
    for (int before = random.nextInt(4); before > 0; before--) {
      disk.change(3);
      backUp(new Fate.Lives());
    }
    for (int round = 0; round < rounds; round++) {
      disk.change(1 + random.nextInt(6));
      int keep = 1 + random.nextInt(3);
      switch (random.nextInt(4)) {
        case 0 -> atOnce(keep);
        case 1 -> prune(keep, fate(PRUNE_OPERATIONS, PruneMoment.values()), new Random(7));
        default -> {
          backUp(fate(BACKUP_OPERATIONS, Moment.values()));
          prune(keep, fate(PRUNE_OPERATIONS, PruneMoment.values()), new Random(random.nextLong()));
        }
      }
      look(keep);
    }
    finish();
  }

  /**
   * Rounds of changes and agents that are processes of their own, each killed after a random time.
   *
   * @return how many were killed before they were done
   */
  int runProcesses(int rounds, Path repository) throws Exception {
    int killed = 0;
    for (int round = 0; round < rounds; round++) {
      disk.change(1 + random.nextInt(6));
      killed += KillableAgent.backUp(repository, disk.image(), random) ? 1 : 0;
      learn();
      int keep = 1 + random.nextInt(2);
      killed += KillableAgent.prune(repository, keep, random) ? 1 : 0;
      look(keep);
    }
    finish();
    return killed;
  }

  /** What exists now and didn't before is of the disk as it is. */
  private void learn() throws IOException {
    try (Repository repository = Repository.adopt(opener.open(clock))) {
      for (Manifest point : repository.catalogue(VM).points()) {
        tried.putIfAbsent(point.point(), sha256(disk.content()));
      }
    }
    look(Integer.MAX_VALUE);
  }

  private Fate fate(int operations, Enum<?>[] moments) {
    return Fate.random(random, operations, moments);
  }

  /** Nothing kills these: they finish what the dead have left. */
  private void finish() throws Exception {
    backUp(new Fate.Lives());
    look(Integer.MAX_VALUE);
    Life.deliver(late);
    look(Integer.MAX_VALUE);
    disk.change(3);
    backUp(new Fate.Lives());
    int keep = 1 + random.nextInt(3);
    prune(keep, new Fate.Lives(), random);
    look(keep);
    clock = Clock.offset(clock, Duration.ofHours(25));
    prune(keep, new Fate.Lives(), random);
    look(keep);
    try (Repository repository = Repository.adopt(opener.open(clock))) {
      Catalogue catalogue = repository.catalogue(VM);
      assertThat(catalogue.points()).hasSize(Math.min(keep, committed.size()));
      Set<ObjectKey> named = new TreeSet<>(Set.of(Layout.DESCRIPTOR, Layout.lease(VM)));
      for (Manifest point : catalogue.points()) {
        named.add(Layout.manifest(VM, point.point()));
        for (var disk : point.disks()) {
          named.add(disk.overlay().key());
          if (disk.digests().isPresent()) {
            named.add(Layout.digests(VM, disk.name(), point.point()));
          }
        }
      }
      try (Stream<ObjectInfo> objects = repository.store().list("")) {
        assertThat(objects.map(ObjectInfo::key).toList())
            .containsExactlyInAnyOrderElementsOf(named);
      }
      assertThat(repository.store().sweepUploads("", Duration.ZERO)).isZero();
    }
  }

  /** A backup and a prune, each as soon as the other's lease lets it. */
  private void atOnce(int keep) throws Exception {
    Fate backup = fate(BACKUP_OPERATIONS, Moment.values());
    Fate prune = fate(PRUNE_OPERATIONS, PruneMoment.values());
    Random other = new Random(random.nextLong());
    try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
      Future<?> backups =
          threads.submit(() -> {
            backUp(backup);
            return 0;
          });
      Future<?> prunes =
          threads.submit(() -> {
            prune(keep, prune, other);
            return 0;
          });
      backups.get();
      prunes.get();
    } catch (ExecutionException e) {
      throw new AssertionError(e.getCause());
    }
  }

  /** What an agent does with its repository. */
  @FunctionalInterface
  private interface Work {
    void run(Repository repository, Life life) throws IOException;
  }

  private void agent(Life life, Work work) throws IOException {
    for (int tries = 1; ; tries++) {
      try (Repository repository =
          Repository.adopt(new DyingStore(opener.open(clock), life, this::begun))) {
        work.run(repository, life);
        return;
      } catch (LeaseHeldException e) {
        // the other agent is at work
        if (tries == TRIES) {
          throw e;
        }
      } catch (IOException | RuntimeException | Error e) {
        if (life.death().isPresent()) {
          synchronized (deaths) {
            deaths.merge(life.death().get(), 1, Integer::sum);
          }
          return;
        }
        throw e;
      }
      try {
        Thread.sleep(3);
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
    }
  }

  private void begun(ObjectKey key) {
    String name = key.value().substring(key.value().lastIndexOf('/') + 1);
    if (name.endsWith(".qcow2")) {
      tried.putIfAbsent(new PointId(name.substring(0, name.length() - 6)), sha256(disk.content()));
    }
  }

  private void backUp(Fate fate) throws IOException {
    Path keptImage = Path.of(disk.image() + ".kept");
    Life life =
        new Life(
            "backup",
            fate,
            late,
            1 + random.nextInt(BACKUP_OPERATIONS),
            () -> Files.copy(disk.image(), keptImage, StandardCopyOption.REPLACE_EXISTING));
    boolean first = committed.isEmpty();
    agent(
        life,
        (repository, living) -> {
          BackupResult result =
              new Backup(repository, backupSettings(living)).run(request(disk.image()));
          assertThat(result.warnings()).isEmpty();
          if (!first) {
            assertThat(result.manifest().disks().getFirst().parent()).isPresent();
            assertThat(result.manifest().disks().getFirst().reason()).startsWith("bitmap");
          }
          synchronized (committed) {
            committed.add(result.manifest().point());
          }
        });
    if (life.death().isPresent()) {
      // what the agent's own handlers did to the image, they did after its death
      Files.move(keptImage, disk.image(), StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private BackupSettings backupSettings(Life life) {
    return backups(clock, life::reached);
  }

  static BackupSettings backups(Clock clock, Moment.Observer moments) {
    return new BackupSettings(
        clock,
        new PointIds(clock, new Random()),
        "test",
        "test",
        Progress.NONE,
        new Cancellation(),
        moments);
  }

  static BackupRequest request(Path image) {
    return new BackupRequest(
        VM,
        List.of(new BackupRequest.Disk(DISK, image, Optional.empty())),
        Optional.empty(),
        BackupRequest.Extent.AUTO,
        Optional.empty(),
        Map.of());
  }

  private void prune(int keep, Fate fate, Random chance) throws IOException {
    OptionalInt maxChain =
        chance.nextInt(3) == 0 ? OptionalInt.of(1 + chance.nextInt(2)) : OptionalInt.empty();
    Life life = new Life("prune", fate, late, 1 + chance.nextInt(PRUNE_OPERATIONS / 2), () -> {});
    PruneRequest request = keep(keep, maxChain);
    agent(
        life,
        (repository, living) -> {
          try {
            PruneReport report =
                new Prune(repository, prunes(clock, living::reached)).run(VM, request);
            assertThat(report.problems()).isEmpty();
          } catch (NotFoundException e) {
            assertThat(committed).isEmpty();
          }
        });
  }

  static PruneRequest keep(int last, OptionalInt maxChain) {
    return new PruneRequest(
        new RetentionPolicy(last, Map.of(), Optional.empty(), List.of(), 1, ZoneOffset.UTC),
        maxChain,
        Duration.ofHours(24));
  }

  static PruneSettings prunes(Clock clock, PruneMoment.Observer moments) {
    return new PruneSettings(clock, "test", FINE, Progress.NONE, new Cancellation(), moments);
  }

  /**
   * Reads everything there is.
   *
   * @param keep how many of the newest points no prune of this round was allowed to take; one of an
   *     earlier round, whose request arrived only now, may have been allowed more
   */
  private void look(int keep) throws IOException {
    try (Repository repository = Repository.adopt(opener.open(clock))) {
      Catalogue catalogue = repository.catalogue(VM);
      assertThat(catalogue.unreadable()).isEmpty();
      Set<PointId> there = new TreeSet<>();
      for (Manifest point : catalogue.points()) {
        there.add(point.point());
        assertThat(restored(repository, catalogue, point))
            .as("point %s", point.point())
            .isEqualTo(tried.get(point.point()));
        assertDigested(repository, catalogue, point);
      }
      committed.addAll(there);
      List<PointId> newest = new ArrayList<>(committed.descendingSet());
      int kept = Math.min(keep, keptByTheLate);
      assertThat(there).containsAll(newest.subList(0, Math.min(kept, newest.size())));
      committed.retainAll(there);
      keptByTheLate = late.isEmpty() ? Integer.MAX_VALUE : kept;
    }
  }

  /** Digests never call unchanged what is not, nor changed what is. */
  private static void assertDigested(Repository repository, Catalogue catalogue, Manifest point)
      throws IOException {
    DiskChain chain = catalogue.chain(point, DISK);
    assertThat(chain.hasDigests()).isTrue();
    DigestChain digests = DigestChain.open(repository.store(), repository.descriptor().id(), chain);
    StoredChain stored = StoredChain.open(repository.store(), chain.links());
    try (OverlayChainDisk content = new OverlayChainDisk(stored.chain())) {
      ExtentSet differences =
          new ContentComparison(
                  repository.descriptor().id(), content, ContentComparison.Choice.ALL, _ -> {})
              .run(digests);
      assertThat(differences).as("digests of point %s", point.point()).isEqualTo(ExtentSet.empty());
    }
  }

  private static String restored(Repository repository, Catalogue catalogue, Manifest point)
      throws IOException {
    StoredChain stored = StoredChain.open(repository.store(), catalogue.chain(point, DISK).links());
    try (OverlayChainDisk content = new OverlayChainDisk(stored.chain())) {
      ByteBuffer all = ByteBuffer.allocate(Math.toIntExact(content.size()));
      content.read(0, all);
      return sha256(all.array());
    }
  }

  private static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
