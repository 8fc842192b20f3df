package dev.cowbell.it.prune;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.prune.PruneReport;
import dev.cowbell.agent.prune.PruneSettings;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.it.backup.Sha256;
import dev.cowbell.it.backup.TestRepository;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.storage.CephGateway;
import dev.cowbell.qcow2.overlay.MergeLimits;
import dev.cowbell.storage.MeteredStore;
import dev.cowbell.storage.StoreTraffic;
import dev.cowbell.storage.s3.S3Location;
import dev.cowbell.storage.s3.S3Settings;
import dev.cowbell.storage.s3.S3Store;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a prune of long overlays moves, it moves inside the gateway. */
class ServerSideCopyIT {

  private static final int MIB = 1 << 20;

  @TempDir private Path scratch;

  @Test
  void nine_tenths_of_the_bytes_never_leave_a_ceph_gateway() throws IOException {
    CephGateway gateway = CephGateway.running();
    S3Location location = gateway.newLocation();
    TestRepository repository =
        TestRepository.create(location.toString(), gateway.credentials().resolveCredentials());
    Path raw = scratch.resolve("disk.raw");
    Path image = scratch.resolve("vda.qcow2");
    fill(raw, 0, 120, 1);
    QemuImg.of("convert", "-f", "raw", "-O", "qcow2", raw, image);
    repository.backup(image);
    fill(raw, 30, 60, 2);
    write(image, raw, 30, 60);
    TestRepository.Point kept = repository.backup(image);
    assertThat(kept.storedBytes()).isGreaterThan(50 * MIB);

    MeteredStore store =
        new MeteredStore(
            S3Store.create(location, S3Settings.DEFAULT, gateway.credentials(), Clock.systemUTC()));
    PruneReport report;
    StoreTraffic traffic;
    try (Repository open = Repository.adopt(store)) {
      report =
          new Prune(
                  open,
                  new PruneSettings(
                      Clock.systemUTC(),
                      "test",
                      MergeLimits.USUAL,
                      Progress.NONE,
                      new Cancellation(),
                      PruneMoment.Observer.NONE))
              .run(new VmName("web"), HaltingPrune.keepLast(1, 0));
      traffic = store.traffic();
    }
    assertThat(report.problems()).isEmpty();
    assertThat(report.removed()).hasSize(1);
    // the copies' first 5 MiB fill up the part that holds the head, and so come by here both ways
    long toppedUp = 5 * MIB;
    long copied = traffic.of(StoreTraffic.Kind.COPY).bytes() - toppedUp;
    long moved = traffic.bytesUp() + toppedUp;
    System.out.printf(
        "copied in the store %d, sent %d, read %d%n", copied, moved, traffic.bytesDown());
    assertThat(copied).isGreaterThan(9 * (copied + moved) / 10);
    assertThat(traffic.bytesDown() + toppedUp).isLessThan(copied / 9);
    assertThat(repository.restoredSha256(kept.id(), scratch)).isEqualTo(Sha256.of(raw));
    repository.assertUndamaged();
  }

  private static void fill(Path raw, int from, int length, int seed) throws IOException {
    byte[] bytes = new byte[MIB];
    Random random = new Random(seed);
    try (RandomAccessFile file = new RandomAccessFile(raw.toFile(), "rw")) {
      for (int i = 0; i < length; i++) {
        random.nextBytes(bytes);
        file.seek((long) (from + i) * MIB);
        file.write(bytes);
      }
    }
  }

  private static void write(Path image, Path raw, int from, int length) {
    QemuImg.of(
        "dd",
        "-f",
        "raw",
        "-O",
        "raw",
        "bs=1M",
        "skip=" + from,
        "count=" + (from + length),
        "if=" + raw,
        "of=" + image.resolveSibling("part.raw"));
    dev.cowbell.it.qemu.QemuIo.of(
        image, "write -s %s %dM %dM".formatted(image.resolveSibling("part.raw"), from, length));
  }
}
