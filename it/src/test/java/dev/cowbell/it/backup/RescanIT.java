package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.storage.s3.S3ProxyServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a backup does when nothing tells what changed, but digests tell what there was. */
class RescanIT {

  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 6);
  private static final long SIZE = 96 << 20;

  @TempDir private Path scratch;

  private TestRepository repository(String name) {
    return TestRepository.create(scratch.resolve(name).toString());
  }

  private static void loseBitmaps(GuestImage image) {
    for (String bitmap : image.bitmaps()) {
      QemuImg.of("bitmap", "--remove", image.path(), bitmap);
    }
  }

  @Test
  void a_rescan_stores_what_the_increment_would_have_in_a_directory() throws IOException {
    compareWithIncrement(repository("tracked"), repository("lost"));
  }

  @Test
  void a_rescan_stores_what_the_increment_would_have_in_an_s3_server() throws Exception {
    try (S3ProxyServer server = new S3ProxyServer()) {
      compareWithIncrement(s3(server, "tracked"), s3(server, "lost"));
    }
  }

  private static TestRepository s3(S3ProxyServer server, String prefix) {
    return TestRepository.create(
        "s3://rescan/" + prefix + "?endpoint=" + server.endpoint(),
        server.credentials().resolveCredentials());
  }

  /** Two images that change alike; one of them loses its bitmap. */
  private void compareWithIncrement(TestRepository tracked, TestRepository lost)
      throws IOException {
    long seed = Long.getLong("cowbell.seed", 11);
    GuestImage one = new GuestImage(scratch.resolve("one.qcow2"), "", SIZE, new Random(seed));
    QemuIo.of(one.path(), "write -P 7 0 64M");
    one.change(100);
    Path copy = scratch.resolve("other.qcow2");
    Files.copy(one.path(), copy);
    GuestImage other = new GuestImage(copy, SIZE, new Random(seed + 1));
    tracked.backup("vda=" + one.path());
    lost.backup("vda=" + copy);

    new GuestImage(one.path(), SIZE, new Random(seed + 2)).change(60);
    new GuestImage(copy, SIZE, new Random(seed + 2)).change(60);
    loseBitmaps(other);
    TestRepository.Point increment = tracked.backup("vda=" + one.path());
    TestRepository.Point rescan = lost.backup("vda=" + copy);
    assertThat(rescan.kind()).isEqualTo("incremental");
    assertThat(rescan.reason()).startsWith("rescan: ").contains("is not in the image");
    assertThat(rescan.storedBytes()).isLessThanOrEqualTo(increment.storedBytes() * 11 / 10);
    assertThat(lost.restoredSha256(rescan.id(), scratch)).isEqualTo(one.sha256());
    assertThat(other.bitmaps()).containsExactly("cowbell:" + rescan.id());
    assertThat(lost.backup("vda=" + copy).reason()).startsWith("bitmap");
    lost.assertUndamaged();
  }

  @Test
  void points_are_right_however_often_bitmaps_are_lost_and_points_merged() throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    try {
      rounds(new Random(seed));
    } catch (AssertionError | RuntimeException | IOException e) {
      throw new AssertionError("-Dcowbell.seed=" + seed, e);
    }
  }

  private void rounds(Random random) throws IOException {
    TestRepository repository = repository("rounds");
    String options = "cluster_size=" + (4096 << random.nextInt(10));
    long size = (8L << 20) + 512L * random.nextInt(9);
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), options, size, random);
    image.change(60);
    Map<String, String> states = new LinkedHashMap<>();
    for (int round = 0; round <= ROUNDS; round++) {
      if (round > 0 && random.nextBoolean()) {
        loseBitmaps(image);
      }
      if (random.nextInt(4) == 0) {
        image.resize(image.size() + 512L * random.nextInt(3000));
      }
      TestRepository.Point point = repository.backup("vda=" + image.path());
      assertThat(point.kind()).as(point.reason()).isEqualTo(round == 0 ? "full" : "incremental");
      states.put(point.id(), image.sha256());
      assertThat(repository.restoredSha256(point.id(), scratch)).isEqualTo(states.get(point.id()));
      if (random.nextInt(3) == 0) {
        repository.run("prune", "--vm", "web", "--keep-last", "2").success();
      }
      image.change(random.nextInt(12));
    }
    repository.assertUndamaged();
  }

  @Test
  void damaged_digests_make_a_full_that_says_so() throws IOException {
    TestRepository repository = repository("damaged");
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", SIZE, new Random(5));
    image.change(20);
    TestRepository.Point first = repository.backup(image.path());
    Path digests = scratch.resolve("damaged/vms/web/disks/vda/" + first.id() + ".digests");
    byte[] bytes = Files.readAllBytes(digests);
    bytes[bytes.length - 1] ^= 1;
    Files.write(digests, bytes);
    loseBitmaps(image);
    TestRepository.Point second = repository.backup(image.path());
    assertThat(second.kind()).isEqualTo("full");
    assertThat(second.reason()).contains(".digests").contains("SHA-256");
    assertThat(repository.restoredSha256(second.id(), scratch)).isEqualTo(image.sha256());
  }

  @Test
  void a_change_that_was_not_tracked_is_proved_and_stored_in_the_same_run() throws IOException {
    TestRepository repository = repository("proved");
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", SIZE, new Random(6));
    QemuIo.of(image.path(), "write -P 1 0 32M");
    TestRepository.Point first = repository.backup(image.path());
    assertThat(repository.backup(image.path(), "--prove", "100").reason()).startsWith("bitmap");
    String bitmap = image.bitmaps().getFirst();
    QemuImg.of("bitmap", "--disable", image.path(), bitmap);
    QemuIo.of(image.path(), "write -P 2 5M 64k");
    QemuImg.of("bitmap", "--enable", image.path(), bitmap);
    Shell.Result run = repository.tryBackup(image.path(), "--prove", "100");
    assertThat(run.exit()).isEqualTo(3);
    TestRepository.Point point = TestRepository.Point.of(run.out());
    assertThat(point.kind()).isEqualTo("incremental");
    assertThat(point.reason()).startsWith("rescan: ").contains("without being tracked");
    assertThat(run.err()).contains("TRACKING FAILED");
    assertThat(repository.restoredSha256(point.id(), scratch)).isEqualTo(image.sha256());
    assertThat(first.kind()).isEqualTo("full");
  }
}
