package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.repository.PointKind;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.restore.PointChoice;
import dev.cowbell.agent.restore.Restore;
import dev.cowbell.agent.restore.RestoreRequest;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.storage.FaultProxy;
import dev.cowbell.storage.FaultProxy.Fault;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.RetryPolicy;
import dev.cowbell.storage.s3.S3Location;
import dev.cowbell.storage.s3.S3ProxyServer;
import dev.cowbell.storage.s3.S3Settings;
import dev.cowbell.storage.s3.S3Store;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Requests of a backup go wrong, once or for good: it completes or fails cleanly, and the next one
 * is incremental and right. {@code -Dcowbell.fault.step=1} breaks every single request.
 */
class FaultyStoreBackupIT {

  private static final int STEP = Integer.getInteger("cowbell.fault.step", 4);
  private static final int FOR_GOOD = 1000;
  private static final VmName VM = new VmName("web");
  private static final DiskName DISK = new DiskName("vda");
  private static final S3Settings SETTINGS =
      new S3Settings(
          new RetryPolicy(3, Duration.ofMillis(5), Duration.ofMillis(50), Duration.ofSeconds(5)),
          Duration.ofSeconds(2),
          Duration.ofMillis(400),
          32,
          32 << 20);

  @TempDir private Path scratch;

  private S3ProxyServer server;
  private FaultProxy proxy;
  private Repository repository;
  private GuestImage image;

  static Stream<Fault> faults() {
    return Stream.of(
        new Fault.CutRequest(300),
        Fault.LOSE_ANSWER,
        Fault.SLOW_DOWN,
        Fault.GARBAGE,
        new Fault.StallAnswer(0));
  }

  @BeforeEach
  void start() throws Exception {
    server = new S3ProxyServer();
    proxy = new FaultProxy(server.address());
    S3Location location = S3Location.parse("s3://faults/somewhere?endpoint=" + proxy.endpoint());
    ObjectStore store = S3Store.create(location, SETTINGS, server.credentials(), Clock.systemUTC());
    store.probe();
    Repository.init(store, Clock.systemUTC());
    repository = Repository.adopt(store);
    image = new GuestImage(scratch.resolve("vda.qcow2"), "", 8 << 20, new Random(5));
    image.change(10);
  }

  @AfterEach
  void stop() throws IOException {
    repository.close();
    proxy.close();
    server.close();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void a_backup_completes_or_fails_cleanly_and_the_next_one_is_right(Fault fault)
      throws IOException {
    backUp();
    image.change(2);
    proxy.heal();
    backUp();
    int requests = proxy.requests();
    assertThat(requests).isGreaterThan(5);
    int offset = new Random().nextInt(STEP);
    for (int first = offset; first < requests; first += STEP) {
      breakAt(first, 1, fault);
      breakAt(first, FOR_GOOD, fault);
    }
    QemuImg.checkClean(image.path());
  }

  private void breakAt(int first, int times, Fault fault) throws IOException {
    String when = "%s at request %d, %d times".formatted(fault, first, times);
    image.change(2);
    proxy.breakRequests(first, times, fault);
    try {
      assertIncremental(backUp(), when);
    } catch (IOException e) {
      assertThat(e.getMessage()).as(when).isNotBlank();
    }
    proxy.heal();
    image.change(1);
    Manifest next = backUp();
    assertIncremental(next, when);
    assertThat(restored(next)).as(when).isEqualTo(image.sha256());
  }

  private static void assertIncremental(Manifest point, String when) {
    assertThat(point.kind())
        .as(when + ": " + point.disks().getFirst().reason())
        .isEqualTo(PointKind.INCREMENTAL);
    assertThat(point.disks().getFirst().reason()).as(when).startsWith("bitmap");
  }

  private Manifest backUp() throws IOException {
    Clock clock = Clock.systemUTC();
    return new Backup(
            repository,
            new BackupSettings(
                clock,
                new PointIds(clock, new SecureRandom()),
                "test",
                "test",
                Progress.NONE,
                new Cancellation(),
                Moment.Observer.NONE))
        .run(
            new BackupRequest(
                VM,
                List.of(new BackupRequest.Disk(DISK, image.path(), Optional.empty())),
                Optional.empty(),
                BackupRequest.Extent.AUTO,
                Optional.empty(),
                Map.of()))
        .manifest();
  }

  private String restored(Manifest point) throws IOException {
    Path target = scratch.resolve("restored.raw");
    new Restore(repository, Progress.NONE, new Cancellation())
        .run(
            new RestoreRequest(
                VM,
                new PointChoice.Named(point.point().value()),
                Optional.of(DISK),
                target,
                RestoreRequest.Format.RAW,
                RestoreRequest.Existing.OVERWRITE,
                RestoreRequest.Tracking.NONE));
    String sha256 = Sha256.of(target);
    Files.delete(target);
    return sha256;
  }
}
