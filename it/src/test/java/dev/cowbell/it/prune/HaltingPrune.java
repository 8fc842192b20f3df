package dev.cowbell.it.prune;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.prune.PruneRequest;
import dev.cowbell.agent.prune.PruneSettings;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.overlay.MergeLimits;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicInteger;

/** A prune in a process of its own that dies at a chosen moment, as by a power cut. */
public final class HaltingPrune {

  /** How the process ends when it got to the moment. */
  static final int HALTED = 42;

  /** Small enough that the disks of tests are copied in ranges too. */
  static final MergeLimits FINE = new MergeLimits(64 << 10, 8 << 10);

  private HaltingPrune() {}

  /** Runs one, and answers whether it got to the moment and died. */
  static boolean diesAt(String url, PruneMoment moment, int occurrence, PruneRequest request) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                HaltingPrune.class.getName(),
                url,
                moment.name(),
                String.valueOf(occurrence),
                String.valueOf(request.policy().last()),
                String.valueOf(request.maxChain().orElse(0))));
    Shell.Result result = Shell.run(Path.of("").toAbsolutePath(), command, Shell.TIMEOUT);
    if (result.exit() != HALTED && result.exit() != 0) {
      throw new AssertionError(result);
    }
    return result.exit() == HALTED;
  }

  static PruneRequest keepLast(int last, int maxChain) {
    return new PruneRequest(
        new RetentionPolicy(last, Map.of(), Optional.empty(), List.of(), 1, ZoneOffset.UTC),
        maxChain == 0 ? OptionalInt.empty() : OptionalInt.of(maxChain),
        Duration.ofHours(24));
  }

  static PruneSettings settings(Clock clock, PruneMoment.Observer moments) {
    return new PruneSettings(clock, "test", FINE, Progress.NONE, new Cancellation(), moments);
  }

  public static void main(String[] args) throws Exception {
    PruneMoment wanted = PruneMoment.valueOf(args[1]);
    int occurrence = Integer.parseInt(args[2]);
    AtomicInteger seen = new AtomicInteger();
    Clock clock = Clock.systemUTC();
    PruneMoment.Observer dying =
        moment -> {
          if (moment == wanted && seen.incrementAndGet() == occurrence) {
            Runtime.getRuntime().halt(HALTED);
          }
        };
    try (Repository repository =
        Repository.adopt(StoreUrl.parse(args[0]).open(StoreUrl.Missing.REFUSE, clock))) {
      new Prune(repository, settings(clock, dying))
          .run(new VmName("web"), keepLast(Integer.parseInt(args[3]), Integer.parseInt(args[4])));
    }
  }
}
