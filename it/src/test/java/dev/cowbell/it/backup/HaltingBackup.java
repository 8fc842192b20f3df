package dev.cowbell.it.backup;

import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.backup.BackupRequest.Disk;
import dev.cowbell.agent.backup.BackupRequest.Extent;
import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.it.qemu.Shell;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/** A backup in a process of its own that dies at a chosen moment, as by a power cut. */
public final class HaltingBackup {

  /** How the process ends when it got to the moment. */
  static final int HALTED = 42;

  private HaltingBackup() {}

  /** Runs one, and answers how it ended: {@link #HALTED}, or as the backup did. */
  static int run(String url, Moment moment, int occurrence, Map<String, Path> disks) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                HaltingBackup.class.getName(),
                url,
                moment.name(),
                String.valueOf(occurrence)));
    disks.forEach((name, path) -> command.add(name + "=" + path));
    Shell.Result result = Shell.run(Path.of("").toAbsolutePath(), command, Shell.TIMEOUT);
    if (result.exit() != HALTED && result.exit() != 0) {
      throw new AssertionError(result);
    }
    return result.exit();
  }

  public static void main(String[] args) throws Exception {
    Moment wanted = Moment.valueOf(args[1]);
    int occurrence = Integer.parseInt(args[2]);
    List<Disk> disks = new ArrayList<>();
    for (String disk : List.of(args).subList(3, args.length)) {
      String[] parts = disk.split("=", 2);
      disks.add(new Disk(new DiskName(parts[0]), Path.of(parts[1]), Optional.empty()));
    }
    AtomicInteger seen = new AtomicInteger();
    Clock clock = Clock.systemUTC();
    BackupSettings settings =
        new BackupSettings(
            clock,
            new PointIds(clock, new SecureRandom()),
            "test",
            "test",
            Progress.NONE,
            new Cancellation(),
            moment -> {
              if (moment == wanted && seen.incrementAndGet() == occurrence) {
                Runtime.getRuntime().halt(HALTED);
              }
            });
    try (Repository repository =
        Repository.adopt(StoreUrl.parse(args[0]).open(StoreUrl.Missing.REFUSE, clock))) {
      new Backup(repository, settings)
          .run(
              new BackupRequest(
                  new VmName("web"),
                  disks,
                  Optional.empty(),
                  Extent.AUTO,
                  Optional.empty(),
                  Map.of()));
    }
  }
}
