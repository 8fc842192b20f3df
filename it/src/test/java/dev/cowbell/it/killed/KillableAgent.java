package dev.cowbell.it.killed;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** An agent in a process of its own that is killed, as by {@code kill -9}, while it works. */
public final class KillableAgent {

  private static final int KILLED = 128 + 9;
  private static final int LONGEST_BITS = 8;

  private KillableAgent() {}

  /** Begins a backup and answers whether it was killed before it was done. */
  static boolean backUp(Path repository, Path image, Random random) throws Exception {
    return isKilled(random, "backup", repository.toString(), image.toString());
  }

  /** Begins a prune and answers whether it was killed before it was done. */
  static boolean prune(Path repository, int keep, Random random) throws Exception {
    return isKilled(random, "prune", repository.toString(), String.valueOf(keep));
  }

  private static boolean isKilled(Random random, String... arguments) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                KillableAgent.class.getName()));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    try (BufferedReader out = process.inputReader()) {
      String said = out.readLine();
      if (!"begun".equals(said)) {
        throw new AssertionError(said);
      }
      boolean ended =
          process.waitFor(
              random.nextInt(32 << random.nextInt(LONGEST_BITS)), TimeUnit.MILLISECONDS);
      process.destroyForcibly();
      int exit = process.waitFor();
      if (exit != 0 && (ended || exit != KILLED)) {
        throw new AssertionError("exit " + exit);
      }
      return exit == KILLED;
    }
  }

  public static void main(String[] args) throws IOException {
    Clock clock = Clock.systemUTC();
    System.out.println("begun");
    try (Repository repository = Repository.adopt(DirectoryStore.open(Path.of(args[1]), clock))) {
      if (args[0].equals("backup")) {
        new Backup(repository, DyingAgents.backups(clock, Moment.Observer.NONE))
            .run(DyingAgents.request(Path.of(args[2])));
      } else {
        new Prune(repository, DyingAgents.prunes(clock, PruneMoment.Observer.NONE))
            .run(DyingAgents.VM, DyingAgents.keep(Integer.parseInt(args[2]), OptionalInt.empty()));
      }
    } catch (NotFoundException e) {
      // every backup was killed so far, so there is nothing to prune
    }
  }
}
