package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.storage.CephGateway;
import dev.cowbell.storage.s3.S3ProxyServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Rounds of change and backup; then every point is restored and compared. {@code
 * -Dcowbell.rounds=30} runs a campaign, {@code -Dcowbell.seed=N} a known one.
 */
class RoundsIT {

  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 3);
  private static final long SIZE = 48 << 20;
  private static final long GRANULE = 65536;

  @TempDir private Path scratch;

  @Test
  void every_round_comes_back_from_a_directory() throws IOException {
    run(TestRepository.create(scratch.resolve("repository").toString()));
  }

  @Test
  void every_round_comes_back_from_an_s3_server() throws Exception {
    try (S3ProxyServer server = new S3ProxyServer()) {
      run(
          TestRepository.create(
              "s3://rounds/some/where?endpoint=" + server.endpoint(),
              server.credentials().resolveCredentials()));
    }
  }

  @Test
  void every_round_comes_back_from_a_ceph_gateway() throws IOException {
    CephGateway gateway = CephGateway.running();
    run(
        TestRepository.create(
            gateway.newLocation().toString(), gateway.credentials().resolveCredentials()));
  }

  private void run(TestRepository repository) throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    try {
      run(repository, new Random(seed));
    } catch (AssertionError | IOException e) {
      throw new AssertionError("seed " + seed + ": -Dcowbell.seed=" + seed, e);
    }
  }

  private void run(TestRepository repository, Random random) throws IOException {
    int clusterSize = 512 << random.nextInt(12);
    GuestImage image =
        new GuestImage(scratch.resolve("vda.qcow2"), "cluster_size=" + clusterSize, SIZE, random);
    image.change(200);
    Map<String, String> states = new LinkedHashMap<>();
    TestRepository.Point full = repository.backup(image.path());
    assertThat(full.kind()).isEqualTo("full");
    states.put(full.id(), image.sha256());
    for (int round = 1; round <= ROUNDS; round++) {
      ExtentSet changed = image.change(1 + random.nextInt(20));
      TestRepository.Point point = repository.backup(image.path());
      point.assertTracked();
      assertFollowsTheChanges(point, changed);
      assertThat(image.bitmaps()).containsExactly("cowbell:" + point.id());
      QemuImg.checkClean(image.path());
      states.put(point.id(), image.sha256());
    }
    for (Map.Entry<String, String> state : states.entrySet()) {
      assertThat(repository.restoredSha256(state.getKey(), scratch))
          .as("point %s", state.getKey())
          .isEqualTo(state.getValue());
    }
    repository.assertUndamaged();
  }

  /** The granules that changed, the sentinel's one, and metadata: never the disk's size. */
  private static void assertFollowsTheChanges(TestRepository.Point point, ExtentSet changed) {
    long granules = changed.alignOutward(GRANULE).totalLength() + GRANULE;
    assertThat(point.changedBytes()).isLessThanOrEqualTo(granules);
    assertThat(point.storedBytes()).isLessThan(granules + (512 << 10));
  }
}
