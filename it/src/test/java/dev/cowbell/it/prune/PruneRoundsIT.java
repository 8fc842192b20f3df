package dev.cowbell.it.prune;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.backup.GuestImage;
import dev.cowbell.it.backup.TestRepository;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.it.storage.CephGateway;
import dev.cowbell.storage.s3.S3ProxyServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Rounds of changes, backups, pins and prunes: after each prune the points are those that should
 * be, and all of them restore. {@code -Dcowbell.rounds=N}, {@code -Dcowbell.seed=N}.
 */
class PruneRoundsIT {

  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 3);
  private static final long SIZE = 24 << 20;

  @TempDir private Path scratch;

  @Test
  void kept_points_restore_from_a_directory() throws IOException {
    run(TestRepository.create(scratch.resolve("repository").toString()), ROUNDS);
  }

  @Test
  void kept_points_restore_from_an_s3_server() throws Exception {
    try (S3ProxyServer server = new S3ProxyServer()) {
      run(
          TestRepository.create(
              "s3://prune/some/where?endpoint=" + server.endpoint(),
              server.credentials().resolveCredentials()),
          ROUNDS);
    }
  }

  @Test
  void kept_points_restore_from_a_ceph_gateway() throws IOException {
    CephGateway gateway = CephGateway.running();
    run(
        TestRepository.create(
            gateway.newLocation().toString(), gateway.credentials().resolveCredentials()),
        ROUNDS);
  }

  private void run(TestRepository repository, int rounds) throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    try {
      run(repository, rounds, new Random(seed));
    } catch (AssertionError | RuntimeException | IOException e) {
      throw new AssertionError("-Dcowbell.seed=" + seed, e);
    }
  }

  private void run(TestRepository repository, int rounds, Random random) throws IOException {
    int clusterSize = 4096 << random.nextInt(6);
    GuestImage image =
        new GuestImage(scratch.resolve("vda.qcow2"), "cluster_size=" + clusterSize, SIZE, random);
    image.change(100);
    Map<String, String> states = new LinkedHashMap<>();
    Set<String> pinned = new TreeSet<>();
    for (int round = 0; round < rounds; round++) {
      for (int i = 1 + random.nextInt(4); i > 0; i--) {
        if (random.nextInt(5) == 0) {
          image.resize(image.size() + 512L * random.nextInt(4000));
        }
        image.change(1 + random.nextInt(8));
        states.put(repository.backup(image.path()).id(), image.sha256());
      }
      if (random.nextInt(3) == 0) {
        String point = any(states.keySet(), random);
        repository.run("pin", "--vm", "web", point).success();
        pinned.add(point);
      } else if (random.nextInt(3) == 0 && !pinned.isEmpty()) {
        String point = any(pinned, random);
        repository.run("unpin", "--vm", "web", point, "--json").success();
        pinned.remove(point);
      }
      prune(repository, states, pinned, random);
      for (Map.Entry<String, String> state : states.entrySet()) {
        assertThat(repository.restoredSha256(state.getKey(), scratch))
            .as("point %s", state.getKey())
            .isEqualTo(state.getValue());
      }
      repository.assertUndamaged();
      stockToolsAgree(states.keySet(), image);
    }
  }

  private static void prune(
      TestRepository repository, Map<String, String> states, Set<String> pinned, Random random) {
    int last = 1 + random.nextInt(4);
    int maxChain = random.nextInt(3) == 0 ? 1 + random.nextInt(3) : 1000;
    Object[] arguments = {
      "--vm", "web", "--keep-last", last, "--max-chain", maxChain, "--json", "--dry-run"
    };
    JsonNode foreseen = QemuImg.json(repository.run("prune", arguments).success());
    Shell.Result done =
        repository.run("prune", java.util.Arrays.copyOf(arguments, arguments.length - 1));
    JsonNode report = QemuImg.json(done.success());
    assertThat(report.get("vms").get(0).get("points"))
        .isEqualTo(foreseen.get("vms").get(0).get("points"));
    assertThat(report.get("vms").get(0).get("problems")).isEmpty();
    List<String> ids = new ArrayList<>(states.keySet());
    Set<String> kept = new TreeSet<>(ids.subList(Math.max(0, ids.size() - last), ids.size()));
    kept.addAll(pinned);
    states.keySet().retainAll(kept);
    List<String> listed = new ArrayList<>();
    for (JsonNode point : repository.points()) {
      listed.add(point.get("id").asText());
      assertThat(point.get("chainLength").asInt()).isLessThanOrEqualTo(maxChain);
    }
    assertThat(listed).containsExactlyElementsOf(kept);
  }

  private static String any(Set<String> points, Random random) {
    return new ArrayList<>(points).get(random.nextInt(points.size()));
  }

  private void stockToolsAgree(Set<String> points, GuestImage image) {
    Path disk = scratch.resolve("repository/vms/web/disks/vda");
    if (!Files.isDirectory(disk)) {
      return;
    }
    String newest = "";
    for (String point : points) {
      QemuImg.checkClean(disk.resolve(point + ".qcow2"));
      newest = point;
    }
    QemuImg.assertSame(disk.resolve(newest + ".qcow2"), "qcow2", image.path(), "qcow2");
  }
}
