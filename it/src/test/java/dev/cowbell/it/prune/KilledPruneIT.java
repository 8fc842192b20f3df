package dev.cowbell.it.prune;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.it.backup.GuestImage;
import dev.cowbell.it.backup.TestRepository;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The power goes at each moment of a prune: every point that is kept restores, before the next
 * prune and after it, and the next one finishes. {@code -Dcowbell.rounds=N} kills N random ones
 * more.
 */
class KilledPruneIT {

  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 2);
  private static final long SIZE = 6 << 20;

  @TempDir private Path scratch;

  @ParameterizedTest
  @EnumSource
  void every_kept_point_restores_and_the_next_prune_finishes(PruneMoment moment)
      throws IOException {
    kill(moment, 1, new Random(moment.name().hashCode()), scratch.resolve(moment.name()));
  }

  @Test
  void whenever_it_is_killed_however_often() throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    for (int round = 0; round < ROUNDS; round++) {
      Random random = new Random(seed + round);
      PruneMoment[] moments = PruneMoment.values();
      PruneMoment moment = moments[random.nextInt(moments.length)];
      try {
        kill(moment, 1 + random.nextInt(3), random, scratch.resolve("round-" + round));
      } catch (AssertionError | IOException e) {
        throw new AssertionError("-Dcowbell.seed=" + (seed + round) + " at " + moment, e);
      }
    }
  }

  private static void kill(PruneMoment moment, int occurrence, Random random, Path folder)
      throws IOException {
    Files.createDirectories(folder);
    GuestImage image = new GuestImage(folder.resolve("vda.qcow2"), "", SIZE, random);
    TestRepository repository = TestRepository.create(folder.resolve("repository").toString());
    Map<String, String> states = new LinkedHashMap<>();
    for (int i = 0; i < 6; i++) {
      image.change(i == 0 ? 20 : 4);
      states.put(repository.backup(image.path()).id(), image.sha256());
    }
    int keep = 2;
    int maxChain = random.nextInt(3) == 0 ? 1 : 0;
    boolean died =
        HaltingPrune.diesAt(
            repository.url(), moment, occurrence, HaltingPrune.keepLast(keep, maxChain));
    assertThat(died || occurrence > 1).as("it got to " + moment).isTrue();
    List<String> kept = new ArrayList<>(states.keySet()).subList(4, 6);
    assertRestores(repository, states, kept, folder);

    image.change(3);
    TestRepository.Point next = repository.backup(image.path());
    assertThat(next.kind()).isEqualTo("incremental");
    assertThat(next.reason()).startsWith("bitmap");
    states.put(next.id(), image.sha256());
    List<Object> again = new ArrayList<>(List.of("--vm", "web", "--keep-last", 3, "--json"));
    if (maxChain > 0) {
      again.addAll(List.of("--max-chain", maxChain));
    }
    repository.run("prune", again.toArray()).success();
    List<String> now = new ArrayList<>(states.keySet()).subList(4, 7);
    List<String> listed = new ArrayList<>();
    for (JsonNode point : repository.points()) {
      listed.add(point.get("id").asText());
      assertThat(point.get("chainLength").asInt()).isLessThanOrEqualTo(maxChain > 0 ? 1 : 3);
    }
    assertThat(listed).containsExactlyElementsOf(now);
    assertRestores(repository, states, now, folder);
    repository.assertUndamaged();
    assertStockToolsAgree(folder, now);
    assertThat(objects(folder.resolve("repository/vms/web/points"))).hasSize(3);
  }

  @Test
  void what_was_taken_in_stays_while_the_merged_overlay_is_damaged() throws IOException {
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", SIZE, new Random(3));
    TestRepository repository = TestRepository.create(scratch.resolve("repository").toString());
    Map<String, String> states = new LinkedHashMap<>();
    for (int i = 0; i < 3; i++) {
      image.change(10);
      states.put(repository.backup(image.path()).id(), image.sha256());
    }
    List<String> ids = List.copyOf(states.keySet());
    assertThat(
            HaltingPrune.diesAt(
                repository.url(), PruneMoment.REPLACED, 1, HaltingPrune.keepLast(1, 0)))
        .isTrue();
    Path overlays = scratch.resolve("repository/vms/web/disks/vda");
    Path merged = overlays.resolve(ids.getLast() + ".qcow2");
    byte[] good = Files.readAllBytes(merged);
    byte[] bad = good.clone();
    bad[good.length - QemuImg.info(merged).get("cluster-size").asInt() - 8] ^= 1;
    Files.write(merged, bad);
    Shell.Result refused = repository.run("prune", "--vm", "web", "--keep-last", 1);
    assertThat(refused.exit()).as(refused.toString()).isEqualTo(3);
    assertThat(refused.err()).contains(ids.getLast()).contains("stays");
    assertThat(objects(overlays)).hasSize(6);
    Files.write(merged, good);
    repository.run("prune", "--vm", "web", "--keep-last", 1).success();
    assertThat(objects(overlays))
        .containsExactlyInAnyOrder(merged, overlays.resolve(ids.getLast() + ".digests"));
    assertRestores(repository, states, ids.subList(2, 3), scratch);
    assertThat(repository.run("prune", "--vm", "nosuch").exit()).isEqualTo(6);
    assertThat(scratch.resolve("repository/vms/nosuch")).doesNotExist();
  }

  private static void assertRestores(
      TestRepository repository, Map<String, String> states, List<String> points, Path folder)
      throws IOException {
    for (String point : points) {
      assertThat(repository.restoredSha256(point, folder)).as(point).isEqualTo(states.get(point));
    }
  }

  /** Each overlay is clean, and the newest opens in its folder as it lies there. */
  private static void assertStockToolsAgree(Path folder, List<String> points) {
    Path disk = folder.resolve("repository/vms/web/disks/vda");
    for (String point : points) {
      QemuImg.checkClean(disk.resolve(point + ".qcow2"));
    }
    QemuImg.assertSame(
        disk.resolve(points.getLast() + ".qcow2"), "qcow2", folder.resolve("vda.qcow2"), "qcow2");
  }

  private static List<Path> objects(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }
}
