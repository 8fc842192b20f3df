package dev.cowbell.it.killed;

import dev.cowbell.it.storage.CephGateway;
import dev.cowbell.storage.directory.DirectoryStore;
import dev.cowbell.storage.s3.S3Location;
import dev.cowbell.storage.s3.S3Settings;
import dev.cowbell.storage.s3.S3Store;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Agents die at any operation of their store, with its effect, without, with half of it, or with
 * one that arrives when the next agent is at work: every point that is kept restores at any time,
 * the next run finishes, and nothing is left over. {@code -Dcowbell.rounds=2000} for a long
 * campaign, {@code -Dcowbell.seed=N} for one that failed.
 */
class KillCampaignIT {

  private static final int RUNS = Integer.getInteger("cowbell.rounds", 12);
  private static final int ON_S3 = Integer.getInteger("cowbell.rounds.s3", Math.max(2, RUNS / 20));
  private static final int PROCESSES = Integer.getInteger("cowbell.rounds.processes", 2);
  private static final Path MEMORY = Path.of("/dev/shm");

  private final Map<String, Integer> deaths = new TreeMap<>();

  @Test
  void every_committed_point_survives_the_death_of_any_agent_on_a_directory() throws Exception {
    campaign(
        RUNS,
        (folder, run) -> {
          Path repository = Files.createDirectory(folder.resolve("repository"));
          return clock -> DirectoryStore.open(repository, clock);
        });
  }

  @Test
  void every_committed_point_survives_the_death_of_any_agent_on_an_s3_server() throws Exception {
    CephGateway server = CephGateway.running(); // its conditional writes are atomic
    campaign(
        ON_S3,
        (folder, run) -> {
          S3Location location = server.newLocation();
          S3Store.create(
                  location, S3Settings.DEFAULT, server.credentials(), java.time.Clock.systemUTC())
              .close();
          return clock ->
              S3Store.open(
                  location, S3Settings.DEFAULT, server.credentials(), Optional.empty(), clock);
        });
  }

  @Test
  void every_committed_point_survives_a_process_that_is_killed_at_any_time() throws Exception {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    Path folder = scratchFolder();
    try {
      Path repository = Files.createDirectory(folder.resolve("repository"));
      Random random = new Random(seed);
      ChangingDisk disk = new ChangingDisk(folder.resolve("vda.qcow2"), random);
      int killed =
          new DyingAgents(clock -> DirectoryStore.open(repository, clock), disk, random)
              .runProcesses(PROCESSES, repository);
      requireNoUploads(repository);
      System.out.printf("%d processes, %d killed%n", 2 * PROCESSES, killed);
    } catch (AssertionError | Exception e) {
      throw new AssertionError("-Dcowbell.seed=" + seed, e);
    } finally {
      delete(folder);
    }
  }

  private static Path scratchFolder() throws IOException {
    return Files.isWritable(MEMORY)
        ? Files.createTempDirectory(MEMORY, "killed")
        : Files.createTempDirectory("killed");
  }

  /** Makes the place for a repository. */
  @FunctionalInterface
  private interface Places {
    DyingAgents.Opener make(Path folder, int run) throws IOException;
  }

  private void campaign(int runs, Places places) throws Exception {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    System.out.println("-Dcowbell.seed=" + seed);
    for (int run = 0; run < runs; run++) {
      Path folder = scratchFolder();
      try {
        Random random = new Random(seed + run);
        ChangingDisk disk = new ChangingDisk(folder.resolve("vda.qcow2"), random);
        DyingAgents agents = new DyingAgents(places.make(folder, run), disk, random);
        agents.run(2 + random.nextInt(5));
        agents.deaths().forEach((death, times) -> deaths.merge(death, times, Integer::sum));
        requireNoUploads(folder.resolve("repository"));
      } catch (AssertionError | Exception e) {
        throw new AssertionError("-Dcowbell.seed=" + (seed + run), e);
      } finally {
        delete(folder);
      }
    }
    report(runs);
  }

  private static void requireNoUploads(Path repository) throws IOException {
    Path uploads = repository.resolve(".cowbell/uploads");
    if (Files.isDirectory(uploads)) {
      try (Stream<Path> files = Files.list(uploads)) {
        if (files.findFirst().isPresent()) {
          throw new AssertionError("something is left in " + uploads);
        }
      }
    }
  }

  private void report(int runs) {
    int all = deaths.values().stream().mapToInt(Integer::intValue).sum();
    System.out.printf("%d runs, %d deaths%n", runs, all);
    deaths.forEach((death, times) -> System.out.printf("| %s | %d |%n", death, times));
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      all.sorted(Comparator.reverseOrder())
          .forEach(path -> {
            try {
              Files.delete(path);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    }
  }
}
