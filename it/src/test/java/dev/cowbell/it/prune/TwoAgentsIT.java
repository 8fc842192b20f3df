package dev.cowbell.it.prune;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.backup.GuestImage;
import dev.cowbell.it.backup.Sha256;
import dev.cowbell.it.backup.TestRepository;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.it.storage.CephGateway;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One agent backs up, another prunes, and somebody restores, all at the same time. */
class TwoAgentsIT {

  private static final int BACKUPS = Integer.getInteger("cowbell.rounds", 6);
  private static final long SIZE = 12 << 20;

  @TempDir private Path scratch;

  private final Map<String, String> states = new ConcurrentHashMap<>();
  private final AtomicBoolean done = new AtomicBoolean();
  private final AtomicInteger refused = new AtomicInteger();

  @Test
  void writers_take_turns_and_readers_read_what_was_backed_up_on_a_directory() throws Exception {
    run(TestRepository.create(scratch.resolve("repository").toString()));
  }

  @Test
  void writers_take_turns_and_readers_read_what_was_backed_up_on_an_s3_server() throws Exception {
    // not S3Proxy: its conditional PUT lets two writers win
    CephGateway server = CephGateway.running();
    run(
        TestRepository.create(
            "s3://turns/some/where?endpoint=" + server.endpoint(),
            server.credentials().resolveCredentials()));
  }

  private void run(TestRepository repository) throws Exception {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", SIZE, new Random(seed));
    image.change(40);
    states.put(repository.backup(image.path()).id(), image.sha256());
    try (ExecutorService threads = Executors.newFixedThreadPool(3)) {
      Future<?> backups =
          threads.submit(() -> {
            try {
              for (int i = 0; i < BACKUPS; i++) {
                image.change(5);
                String state = image.sha256();
                JsonNode point = turn(repository, "backup", image.path(), "--vm", "web", "--json");
                states.put(point.get("point").asText(), state);
              }
            } finally {
              done.set(true);
            }
            return 0;
          });
      Future<?> prunes =
          threads.submit(() -> {
            while (!done.get()) {
              turn(repository, "prune", "--vm", "web", "--keep-last", 2, "--json");
            }
            return 0;
          });
      Future<?> restores =
          threads.submit(() -> {
            while (!done.get()) {
              restore(repository);
            }
            return 0;
          });
      for (Future<?> each : new Future<?>[] {backups, prunes, restores}) {
        each.get(10, TimeUnit.MINUTES);
      }
    }
    turn(repository, "prune", "--vm", "web", "--keep-last", 2, "--json");
    assertThat(repository.points()).hasSize(2);
    for (JsonNode point : repository.points()) {
      String id = point.get("id").asText();
      assertThat(repository.restoredSha256(id, scratch)).isEqualTo(states.get(id));
    }
    repository.assertUndamaged();
    System.out.println("refused because of the other's lease: " + refused);
  }

  private JsonNode turn(TestRepository repository, String command, Object... arguments)
      throws InterruptedException {
    while (true) {
      Shell.Result result = repository.run(command, arguments);
      if (result.exit() == 0) {
        return dev.cowbell.it.qemu.QemuImg.json(result.out());
      }
      assertThat(result.exit()).as(result.toString()).isEqualTo(5);
      assertThat(result.err()).contains("is being written to by process").hasLineCount(1);
      refused.incrementAndGet();
      Thread.sleep(20);
    }
  }

  private void restore(TestRepository repository) throws IOException, InterruptedException {
    JsonNode points = repository.points();
    String point = points.get(points.size() - 1).get("id").asText();
    String state = states.get(point);
    if (state == null) {
      Thread.sleep(20);
      return;
    }
    Path target = scratch.resolve("meanwhile.raw");
    Shell.Result result =
        repository.run("restore", "--vm", "web", "--point", point, "--to", target, "--overwrite");
    if (result.exit() == 6) {
      return;
    }
    result.success();
    assertThat(Sha256.of(target)).isEqualTo(state);
    Files.delete(target);
  }
}
