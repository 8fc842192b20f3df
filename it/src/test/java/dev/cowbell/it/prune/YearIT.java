package dev.cowbell.it.prune;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.prune.PointFate;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.prune.PruneReport;
import dev.cowbell.agent.prune.PruneRequest;
import dev.cowbell.agent.prune.PruneSettings;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredChain;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.CalendarPeriod;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.storage.CephGateway;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.overlay.MergeLimits;
import dev.cowbell.qcow2.overlay.OverlayChainDisk;
import dev.cowbell.qcow2.overlay.OverlayExtents;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.qcow2.overlay.OverlayMonitor;
import dev.cowbell.qcow2.overlay.OverlaySizing;
import dev.cowbell.qcow2.overlay.OverlaySpec;
import dev.cowbell.qcow2.overlay.OverlayWriter;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.directory.DirectoryStore;
import dev.cowbell.storage.s3.S3Location;
import dev.cowbell.storage.s3.S3ProxyServer;
import dev.cowbell.storage.s3.S3Settings;
import dev.cowbell.storage.s3.S3Store;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.temporal.IsoFields;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;

/**
 * Hourly backups of a small changing disk, each followed by a prune that keeps the last 24, 7 days,
 * 8 weeks, 12 months. {@code -Dcowbell.rounds=8760} is a year, {@code -Dcowbell.store=s3proxy} and
 * {@code rgw} are other places than a directory, {@code -Dcowbell.chain} is the longest chain
 * allowed.
 */
class YearIT {

  private static final int HOURS = Integer.getInteger("cowbell.rounds", 48);
  private static final int SIZE = 8 << 20;
  private static final int GRANULE = 64 << 10;
  private static final int MAX_CHAIN = Integer.getInteger("cowbell.chain", 20);
  private static final VmName VM = new VmName("web");
  private static final DiskName DISK = new DiskName("vda");

  @TempDir private Path scratch;

  /** A clock that stands until it is set. */
  private static final class SetClock extends Clock {
    Instant now = Instant.parse("2026-01-01T00:30:00Z");

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }

    @Override
    public Instant instant() {
      return now;
    }
  }

  private final SetClock clock = new SetClock();
  private final byte[] disk = new byte[SIZE];
  private final TreeMap<Instant, byte[]> states = new TreeMap<>();

  @Test
  void kept_points_restore_and_cost_what_they_have_to() throws Exception {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    switch (System.getProperty("cowbell.store", "directory")) {
      case "directory" -> run(DirectoryStore.create(scratch.resolve("repository"), clock), seed);
      case "s3proxy" -> {
        try (S3ProxyServer server = new S3ProxyServer()) {
          S3Location location =
              S3Location.parse("s3://year/some/where?endpoint=" + server.endpoint());
          run(s3(location, server.credentials()), seed);
        }
      }
      case "rgw" -> {
        CephGateway gateway = CephGateway.running();
        run(s3(gateway.newLocation(), gateway.credentials()), seed);
      }
      default -> throw new IllegalArgumentException("directory, s3proxy or rgw");
    }
  }

  private ObjectStore s3(S3Location location, AwsCredentialsProvider credentials)
      throws IOException {
    return S3Store.create(location, S3Settings.DEFAULT, credentials, clock);
  }

  private void run(ObjectStore store, long seed) {
    try {
      Repository.init(store, clock);
      try (Repository repository = Repository.adopt(store)) {
        run(repository, new Random(seed));
      }
    } catch (AssertionError | RuntimeException | IOException e) {
      throw new AssertionError("-Dcowbell.seed=" + seed, e);
    }
  }

  private void run(Repository repository, Random random) throws IOException {
    Path image = scratch.resolve("vda.qcow2");
    QemuImg.create(image, "", SIZE);
    change(image, random, 40);
    Set<Instant> made = new TreeSet<>();
    long carried = 0;
    for (int hour = 0; hour < HOURS; hour++) {
      clock.now = clock.now.plus(Duration.ofHours(1));
      change(image, random, 1 + random.nextInt(3));
      backUp(repository, image);
      made.add(clock.now);
      states.put(clock.now, pack(disk));
      PruneReport report =
          new Prune(repository, settings())
              .run(VM, new PruneRequest(policy(), OptionalInt.of(MAX_CHAIN), Duration.ofHours(24)));
      assertThat(report.problems()).isEmpty();
      carried =
          report.plan().fates().stream().filter(f -> f.kind() == PointFate.Kind.CARRY).count();
      made.retainAll(kept(made));
      states.keySet().retainAll(made);
      Catalogue catalogue = repository.catalogue(VM);
      assertThat(catalogue.points().stream().map(Manifest::time)).containsExactlyElementsOf(made);
      assertRestores(repository, catalogue, catalogue.points().get(random.nextInt(made.size())));
      if (hour % 500 == 499) {
        System.out.printf("%d hours, %d points%n", hour + 1, made.size());
      }
    }
    Catalogue catalogue = repository.catalogue(VM);
    for (Manifest point : catalogue.points()) {
      assertRestores(repository, catalogue, point);
    }
    List<ObjectInfo> overlays;
    try (Stream<ObjectInfo> objects = repository.store().list(Layout.disks(VM))) {
      overlays = objects.filter(o -> o.key().value().endsWith(".qcow2")).toList();
    }
    long stored = overlays.stream().mapToLong(ObjectInfo::size).sum();
    long fresh = freshChain();
    int longest =
        catalogue.points().stream()
            .mapToInt(point -> catalogue.chainLength(point, DISK).orElseThrow())
            .max()
            .orElseThrow();
    System.out.printf(
        "%d hours, %d points, %d carried, chains of at most %d: %d bytes stored, %d in a fresh chain%n",
        HOURS, catalogue.points().size(), carried, longest, stored, fresh);
    assertThat(stored).isLessThanOrEqualTo(fresh * 13 / 10);
    assertThat((long) overlays.size()).isEqualTo(catalogue.points().size() + carried);
  }

  private void change(Path image, Random random, int writes) {
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < writes; i++) {
      int length = 4096 * (1 + random.nextInt(24));
      int at = 4096 * random.nextInt((SIZE - length) / 4096);
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      try {
        Path content = scratch.resolve("write-" + i);
        Files.write(content, bytes);
        commands.add("write -q -s %s %d %d".formatted(content, at, length));
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
      System.arraycopy(bytes, 0, disk, at, length);
    }
    QemuIo.of(image, commands);
  }

  private void backUp(Repository repository, Path image) throws IOException {
    new Backup(
            repository,
            new BackupSettings(
                clock,
                new PointIds(clock, new Random()),
                "test",
                "test",
                Progress.NONE,
                new Cancellation(),
                Moment.Observer.NONE))
        .run(
            new BackupRequest(
                VM,
                List.of(new BackupRequest.Disk(DISK, image, Optional.empty())),
                Optional.empty(),
                BackupRequest.Extent.AUTO,
                Optional.empty(),
                Map.of()));
  }

  private PruneSettings settings() {
    return new PruneSettings(
        clock,
        "test",
        MergeLimits.USUAL,
        Progress.NONE,
        new Cancellation(),
        PruneMoment.Observer.NONE);
  }

  private static RetentionPolicy policy() {
    return new RetentionPolicy(
        24,
        Map.of(CalendarPeriod.DAILY, 7, CalendarPeriod.WEEKLY, 8, CalendarPeriod.MONTHLY, 12),
        Optional.empty(),
        List.of(),
        1,
        ZoneOffset.UTC);
  }

  /** The rules once more, by counting. */
  private static Set<Instant> kept(Set<Instant> made) {
    List<Instant> newest = new ArrayList<>(made).reversed();
    Set<Instant> kept = new TreeSet<>(newest.subList(0, Math.min(24, newest.size())));
    kept.addAll(firsts(newest, 7, t -> t.toLocalDate().toString()));
    kept.addAll(
        firsts(
            newest,
            8,
            t ->
                t.get(IsoFields.WEEK_BASED_YEAR) + "/" + t.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR)));
    kept.addAll(firsts(newest, 12, t -> t.getYear() + "/" + t.getMonthValue()));
    return kept;
  }

  private static List<Instant> firsts(
      List<Instant> newest, int count, Function<ZonedDateTime, String> period) {
    Set<String> seen = new LinkedHashSet<>();
    List<Instant> firsts = new ArrayList<>();
    for (Instant time : newest) {
      if (seen.size() < count && seen.add(period.apply(time.atZone(ZoneOffset.UTC)))) {
        firsts.add(time);
      }
    }
    return firsts;
  }

  private void assertRestores(Repository repository, Catalogue catalogue, Manifest point)
      throws IOException {
    DiskChain chain = catalogue.chain(point, DISK);
    assertThat(chain.length()).isLessThanOrEqualTo(MAX_CHAIN);
    StoredChain stored = StoredChain.open(repository.store(), chain.links());
    ByteBuffer all = ByteBuffer.allocate(SIZE);
    try (OverlayChainDisk content = new OverlayChainDisk(stored.chain())) {
      content.read(0, all);
    }
    assertThat(Arrays.mismatch(all.array(), state(point.time())))
        .as("%s", point.point())
        .isEqualTo(-1);
  }

  private static byte[] pack(byte[] state) {
    return state.clone();
  }

  private byte[] state(Instant time) {
    byte[] packed = states.get(time);
    if (packed == null) {
      throw new AssertionError("no state of " + time);
    }
    return packed;
  }

  /** The bytes of overlays made of nothing but the kept states, in chains as long as allowed. */
  private long freshChain() throws IOException {
    long total = 0;
    byte[] before = null;
    int length = 0;
    try (CodecPool pool = new CodecPool(2)) {
      for (Instant time : states.keySet()) {
        if (length++ % MAX_CHAIN == 0) {
          before = null;
        }
        byte[] now = state(time);
        total += overlay(pool, Optional.ofNullable(before), now);
        before = now;
      }
    }
    return total;
  }

  private static long overlay(CodecPool pool, Optional<byte[]> before, byte[] now)
      throws IOException {
    ExtentSet.Builder changed = ExtentSet.builder();
    for (int at = 0; at < SIZE; at += GRANULE) {
      int end = at + GRANULE;
      if (before.isEmpty() || Arrays.mismatch(before.get(), at, end, now, at, end) >= 0) {
        changed.add(at, GRANULE);
      }
    }
    ExtentSet extents = changed.build();
    GuestDisk content = new InMemory(now);
    int clusterSize =
        before.isEmpty()
            ? OverlaySizing.forFull(SIZE, GRANULE)
            : OverlaySizing.forIncrement(SIZE, extents, GRANULE).clusterSize();
    return new OverlayWriter(pool)
        .write(
            new OverlaySpec(
                SIZE,
                clusterSize,
                before.map(_ -> "below.qcow2"),
                new OverlayIdentity("r", "web", "vda", "p")),
            content,
            before.isEmpty()
                ? OverlayExtents.full(content)
                : OverlayExtents.changed(content, extents),
            body -> body.position(body.limit()),
            OverlayMonitor.NONE)
        .summary()
        .size();
  }

  /** A disk that is an array. */
  private static final class InMemory implements GuestDisk {
    private final byte[] bytes;

    InMemory(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public long size() {
      return bytes.length;
    }

    @Override
    public void read(long at, ByteBuffer dst) {
      dst.put(bytes, (int) at, dst.remaining());
    }

    @Override
    public List<Extent> extents(long at, long length) {
      return List.of(new Extent(at, length, Extent.Status.DATA));
    }

    @Override
    public void close() {}
  }
}
