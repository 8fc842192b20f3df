package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.storage.s3.S3ProxyServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
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

  /** QEMU opens the image for writing and crashes: its bitmaps stay marked in use. */
  private static void crashQemu(GuestImage image) {
    Shell.Result crashed =
        QemuIo.run(List.of("-f", "qcow2"), image.path(), List.of("read 0 512", "abort"));
    assertThat(crashed.exit()).as(crashed.toString()).isNotZero();
  }

  @Test
  void a_rescan_stores_what_the_increment_would_have_in_a_directory() throws IOException {
    compareWithIncrement(
        repository("tracked"), repository("lost"), RescanIT::loseBitmaps, "is not in the image", 3);
  }

  @Test
  void a_rescan_stores_what_the_increment_would_have_in_an_s3_server() throws Exception {
    try (S3ProxyServer server = new S3ProxyServer()) {
      compareWithIncrement(
          s3(server, "tracked"),
          s3(server, "lost"),
          RescanIT::loseBitmaps,
          "is not in the image",
          1);
    }
  }

  @Test
  void a_rescan_stores_what_the_increment_would_have_after_qemu_crashed() throws IOException {
    compareWithIncrement(
        repository("tracked"), repository("lost"), RescanIT::crashQemu, "marked in use", 1);
  }

  private static TestRepository s3(S3ProxyServer server, String prefix) {
    return TestRepository.create(
        "s3://rescan/" + prefix + "?endpoint=" + server.endpoint(),
        server.credentials().resolveCredentials());
  }

  /**
   * Two images that change alike; one of them loses its tracking: above a full, then above a chain
   * that was made shorter by a prune, then above a full that a prune made.
   */
  private void compareWithIncrement(
      TestRepository tracked,
      TestRepository lost,
      Consumer<GuestImage> lose,
      String reason,
      int rounds)
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
    for (int round = 1; round <= rounds; round++) {
      changeAlike(one, copy, seed + 3L * round);
      TestRepository.Point increment = tracked.backup("vda=" + one.path());
      lose.accept(other);
      TestRepository.Point rescan = lost.backup("vda=" + copy);
      increment.assertTracked();
      assertThat(rescan.kind()).as(rescan.reason()).isEqualTo("incremental");
      assertThat(rescan.reason()).startsWith("rescan: ").contains(reason);
      assertThat(rescan.storedBytes())
          .as("round %d", round)
          .isLessThanOrEqualTo(increment.storedBytes() * 11 / 10);
      assertThat(lost.restoredSha256(rescan.id(), scratch)).isEqualTo(one.sha256());
      assertThat(other.bitmaps()).containsExactly("cowbell:" + rescan.id());

      changeAlike(one, copy, seed + 3L * round + 1);
      tracked.backup("vda=" + one.path()).assertTracked();
      lost.backup("vda=" + copy).assertTracked();
      for (TestRepository repository : List.of(tracked, lost)) {
        repository.run("prune", "--vm", "web", "--keep-last", round == 1 ? 2 : 1).success();
      }
    }
    lost.assertUndamaged();
  }

  private static void changeAlike(GuestImage one, Path copy, long seed) {
    new GuestImage(one.path(), SIZE, new Random(seed)).change(60);
    new GuestImage(copy, SIZE, new Random(seed)).change(60);
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

  /** What may have become of a digests object. */
  private enum Harm {
    MISSING("is missing"),
    FLIPPED("SHA-256"),
    EMPTY("0 bytes long"),
    OF_ANOTHER_POINT("describes disk vda"),
    OF_ANOTHER_REPOSITORY("describes disk vda"),
    UPON_A_POINT_THAT_WAS_MERGED("but the overlay lies upon");

    private final String told;

    Harm(String told) {
      this.told = told;
    }
  }

  @Test
  void digests_that_are_not_the_overlays_make_a_full_that_says_so() throws IOException {
    TestRepository sound = repository("sound");
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", 8 << 20, new Random(5));
    image.change(20);
    sound.backup(image.path());
    image.change(5);
    String second = sound.backup(image.path()).id();
    image.change(5);
    String third = sound.backup(image.path()).id();
    String state = image.sha256();
    Path folder = scratch.resolve("sound/vms/web/disks/vda");
    byte[] unmerged = Files.readAllBytes(folder.resolve(third + ".digests"));
    sound.run("prune", "--vm", "web", "--keep-last", "1").success();
    loseBitmaps(image);
    for (Harm harm : Harm.values()) {
      Shell.run("cp", "-r", scratch.resolve("sound"), scratch.resolve(harm.name())).success();
      TestRepository repository =
          new TestRepository(scratch.resolve(harm.name()).toString(), sound.environment());
      Path digests =
          scratch.resolve(harm.name()).resolve("vms/web/disks/vda/" + third + ".digests");
      switch (harm) {
        case MISSING -> Files.delete(digests);
        case FLIPPED -> {
          byte[] bytes = Files.readAllBytes(digests);
          bytes[40] ^= 1;
          Files.write(digests, bytes);
        }
        case EMPTY -> Files.write(digests, new byte[0]);
        case OF_ANOTHER_POINT -> Files.write(digests, renamed(digests, third, second));
        case OF_ANOTHER_REPOSITORY -> {
          JsonNode description = QemuImg.json(description("sound"));
          String id = description.get("repository").asText();
          Files.write(digests, renamed(digests, id, new UUID(1, 2).toString()));
        }
        case UPON_A_POINT_THAT_WAS_MERGED -> Files.write(digests, unmerged);
      }
      Shell.Result verified = repository.run("verify", "--json");
      assertThat(verified.exit()).as(harm.name()).isEqualTo(4);
      assertThat(QemuImg.json(verified.out()).get("damage").get(0).get("points")).isEmpty();
      assertThat(repository.restoredSha256(third, scratch)).isEqualTo(state);
      TestRepository.Point full = repository.backup(image.path());
      assertThat(full.kind()).as(harm.name()).isEqualTo("full");
      assertThat(full.reason()).contains(third + ".digests").contains(harm.told);
      assertThat(repository.restoredSha256(full.id(), scratch)).isEqualTo(state);
      loseBitmaps(image);
      assertThat(repository.backup(image.path()).reason()).startsWith("rescan: ");
      loseBitmaps(image);
    }
  }

  /** The digests as if they were of something of another name of the same length, sealed anew. */
  private static byte[] renamed(Path digests, String name, String other) throws IOException {
    byte[] bytes = Files.readAllBytes(digests);
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    int at = text.indexOf(name);
    assertThat(at).isBetween(64, 992);
    System.arraycopy(other.getBytes(StandardCharsets.US_ASCII), 0, bytes, at, name.length());
    MessageDigest seal = sha256();
    seal.update(bytes, 0, 992);
    System.arraycopy(seal.digest(), 0, bytes, 992, 32);
    return bytes;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private String description(String repository) throws IOException {
    byte[] document = Files.readAllBytes(scratch.resolve(repository).resolve("cowbell.json"));
    return new String(document, StandardCharsets.UTF_8);
  }

  @Test
  void restores_and_increments_need_no_digests() throws IOException {
    TestRepository repository = repository("without");
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", SIZE, new Random(8));
    Map<String, String> states = new LinkedHashMap<>();
    for (int i = 0; i < 4; i++) {
      image.change(10);
      states.put(repository.backup(image.path()).id(), image.sha256());
      Path folder = scratch.resolve("without/vms/web/disks/vda");
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.filter(f -> f.toString().endsWith(".digests")).toList()) {
          Files.delete(file);
        }
      }
    }
    repository.run("prune", "--vm", "web", "--keep-last", "2").success();
    List<String> kept = List.copyOf(states.keySet()).subList(2, 4);
    for (String point : kept) {
      assertThat(repository.restoredSha256(point, scratch)).isEqualTo(states.get(point));
    }
    image.change(3);
    TestRepository.Point point = repository.backup(image.path(), "--prove", "100");
    point.assertTracked();
    assertThat(point.json().get("notes").toString()).contains("nothing was proved");
    repository.backup(image.path(), "--full");
    Files.delete(
        scratch.resolve("without/vms/web/disks/vda/%s.digests".formatted(newest(repository))));
    Shell.Result run = repository.tryBackup(image.path(), "--prove", "100");
    assertThat(run.exit()).as(run.toString()).isEqualTo(3);
    assertThat(run.err()).contains("could not be proved");
    TestRepository.Point.of(run.out()).assertTracked();
  }

  private static String newest(TestRepository repository) {
    JsonNode points = repository.points();
    return points.get(points.size() - 1).get("id").asText();
  }

  /** The guest writes, and the bitmap knows nothing of it: what a bug in QEMU would do. */
  private static void changeUntracked(GuestImage image, String... commands) {
    String bitmap = image.bitmaps().getFirst();
    QemuImg.of("bitmap", "--disable", image.path(), bitmap);
    QemuIo.of(image.path(), commands);
    QemuImg.of("bitmap", "--enable", image.path(), bitmap);
  }

  @Test
  void a_change_that_was_not_tracked_is_proved_and_stored_in_the_same_run() throws IOException {
    TestRepository repository = repository("proved");
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", SIZE, new Random(6));
    QemuIo.of(image.path(), "write -P 1 0 32M");
    repository.backup(image.path());
    repository.backup(image.path(), "--prove", "100").assertTracked();
    changeUntracked(image, "write -P 2 5M 64k");
    Shell.Result run = repository.tryBackup(image.path(), "--prove", "100");
    assertThat(run.exit()).isEqualTo(3);
    TestRepository.Point point = TestRepository.Point.of(run.out());
    assertThat(point.kind()).isEqualTo("incremental");
    assertThat(point.reason()).startsWith("rescan: ").contains("without being tracked");
    assertThat(point.changedBytes()).isEqualTo(64 << 10);
    assertThat(run.err()).contains("TRACKING FAILED").contains("earlier ones may lack changes");
    assertThat(repository.restoredSha256(point.id(), scratch)).isEqualTo(image.sha256());
    image.change(3);
    repository.backup(image.path(), "--prove", "100").assertTracked();
  }

  /** Of 24 pieces, 8 are wrong: chance lets that pass 24 times once in 20 000 runs of this test. */
  @Test
  void tracking_that_misses_writes_is_found_the_same_day_by_hourly_samples() throws IOException {
    TestRepository repository = repository("hourly");
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", SIZE, new Random(7));
    QemuIo.of(image.path(), "write -P 1 0 96M");
    repository.backup(image.path());
    List<String> missed = new ArrayList<>();
    for (int piece = 0; piece < 8; piece++) {
      missed.add("write -P 2 %dM 4k".formatted(12 * piece + 1));
    }
    changeUntracked(image, missed.toArray(new String[0]));
    for (int hour = 1; hour <= 24; hour++) {
      image.change(1);
      Shell.Result run = repository.tryBackup(image.path(), "--prove", "5");
      TestRepository.Point point = TestRepository.Point.of(run.out());
      if (run.exit() == 3) {
        assertThat(run.err()).contains("TRACKING FAILED");
        assertThat(repository.restoredSha256(point.id(), scratch)).isEqualTo(image.sha256());
        return;
      }
      point.assertTracked();
    }
    throw new AssertionError("24 samples did not find it");
  }
}
