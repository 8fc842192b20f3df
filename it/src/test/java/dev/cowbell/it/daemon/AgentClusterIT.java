package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.schedule.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Real agents share the jobs of one PostgreSQL, and are killed while they work. What ran is told by
 * their logs and, independently, by the points in the repository, whose leases let no two write at
 * once.
 */
final class AgentClusterIT {

  private static final int KILLS = Integer.getInteger("cowbell.rounds", 3);
  private static final int VMS = 4;
  private static final Duration EVERY = Duration.ofSeconds(10);

  /**
   * A dead agent is noticed after about 20 s; a late run waits up to a minute; the machine may be
   * busy.
   */
  private static final Duration LATEST = Duration.ofMinutes(2);

  @TempDir private Path folder;

  /** A run as a log tells it; one without an end was cut short. */
  private record Run(
      String agent, String job, String vm, Instant due, Instant began, Optional<Instant> ended) {

    String what() {
      return job + " of " + vm;
    }

    /** When it was over, one way or the other. */
    Instant over(Map<String, Instant> killed) {
      return ended.orElseGet(() -> killed.getOrDefault(agent, Instant.MAX));
    }
  }

  /** An agent, and under which name its runs are found. */
  private record Member(String name, AgentProcess process) {}

  private final List<Member> all = new ArrayList<>();
  private final Map<String, Instant> killed = new java.util.HashMap<>();

  @Test
  void no_run_is_done_twice_and_none_is_missed_although_agents_are_killed_at_work()
      throws Exception {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    Random random = new Random(seed);
    Path repository = folder.resolve("repository");
    Cowbell.of("init", "--repo", repository);
    PostgresServer postgres = PostgresServer.start();
    try {
      Path config = configure(repository, postgres);
      Member one = start(config);
      Member other = start(config);
      one.process().awaitSaid("run done", 1);
      Instant from = Instant.now();
      for (int i = 0; i < KILLS; i++) {
        Member victim = random.nextBoolean() ? one : other;
        awaitBusy(victim);
        Thread.sleep(random.nextInt(400));
        victim.process().kill();
        killed.put(victim.name(), Instant.now());
        Thread.sleep(random.nextInt(3000));
        Member next = start(config);
        if (victim.equals(one)) {
          one = next;
        } else {
          other = next;
        }
        int doneBefore = runs().size();
        next.process().await("runs to go on", () -> runs().size() > doneBefore + VMS);
      }
      Instant until = Instant.now();
      one.process().await("all that was due", () -> uncovered(from, until).isEmpty());
      for (Member member : List.of(one, other)) {
        member.process().signal("TERM");
        assertThat(member.process().exit()).isZero();
      }
      check(seed, from, until, repository);
    } finally {
      for (Member member : all) {
        member.process().close();
      }
      postgres.stop();
    }
  }

  private void check(long seed, Instant from, Instant until, Path repository) throws Exception {
    List<Run> runs = runs();
    List<Run> cutShort = runs.stream().filter(run -> run.ended().isEmpty()).toList();
    System.out.printf(
        "seed %d: %d runs, %d of them cut short by %d kills, longest time from due to done %s%n",
        seed, runs.size(), cutShort.size(), KILLS, longest(runs));
    assertThat(cutShort).as("killed at work, seed %d", seed).isNotEmpty();
    assertThat(uncovered(from, until)).as("missed, seed %d", seed).isEmpty();
    assertThat(longest(runs)).as("seed %d", seed).isLessThan(LATEST);

    runs.stream()
        .filter(run -> run.ended().isPresent())
        .collect(java.util.stream.Collectors.groupingBy(run -> run.what() + " due " + run.due()))
        .forEach((run, times) -> assertThat(times).as("%s, seed %d", run, seed).hasSize(1));

    for (Run run : runs) {
      assertThat(runs)
          .as("at the same time as %s, seed %d", run, seed)
          .noneMatch(second ->
              !second.equals(run)
                  && second.vm().equals(run.vm())
                  && !second.began().isBefore(run.began())
                  && second.began().isBefore(run.over(killed)));
    }
    for (Member member : all) {
      assertThat(member.process().said("run failed"))
          .as("refused by a lease, seed %d", seed)
          .isZero();
    }
    JsonNode points =
        QemuImg.json(Cowbell.of("points", "--repo", repository, "--json")).get("points");
    int done = runs.size() - cutShort.size();
    assertThat(points.size())
        .as("points of %d runs, %d cut short, perhaps after they were done", done, cutShort.size())
        .isBetween(done, runs.size());
    Cowbell.of("verify", "--repo", repository, "--level", "data");
  }

  /** What was due and has no run that began since then and was done. */
  private List<String> uncovered(Instant from, Instant until) throws IOException {
    List<Run> runs = runs();
    List<String> missed = new ArrayList<>();
    long step = EVERY.toMillis();
    for (long at = (from.toEpochMilli() / step + 1) * step; at < until.toEpochMilli(); at += step) {
      Instant due = Instant.ofEpochMilli(at);
      for (String job : List.of("one", "other")) {
        for (int vm = 0; vm < VMS; vm++) {
          String what = job + " of vm" + vm;
          if (runs.stream()
              .noneMatch(run ->
                  run.what().equals(what)
                      && run.ended().isPresent()
                      && !run.began().isBefore(due))) {
            missed.add(what + " due " + due);
          }
        }
      }
    }
    return missed;
  }

  /** From a due time to the end of the first run that began since then. */
  private static Duration longest(List<Run> runs) {
    return runs.stream()
        .map(run ->
            runs.stream()
                .filter(later ->
                    later.what().equals(run.what())
                        && later.ended().isPresent()
                        && !later.began().isBefore(run.due()))
                .map(later -> Duration.between(run.due(), later.ended().orElseThrow()))
                .min(Comparator.naturalOrder())
                .orElse(Duration.ofDays(1)))
        .max(Comparator.naturalOrder())
        .orElseThrow();
  }

  private Member start(Path config) throws IOException {
    Member member = new Member("agent" + all.size(), AgentProcess.start(folder, config, Map.of()));
    all.add(member);
    return member;
  }

  /** Returns when an agent is at work on something. */
  private void awaitBusy(Member member) throws Exception {
    member
        .process()
        .await(
            "the agent to be busy",
            () -> runs(member).stream().anyMatch(run -> run.ended().isEmpty()));
  }

  private List<Run> runs() throws IOException {
    List<Run> runs = new ArrayList<>();
    for (Member member : all) {
      runs.addAll(runs(member));
    }
    return runs;
  }

  private static List<Run> runs(Member member) throws IOException {
    List<Run> runs = new ArrayList<>();
    Map<String, Run> open = new java.util.HashMap<>();
    for (JsonNode line : member.process().log()) {
      Instant at = Instant.ofEpochMilli(line.path("timestamp").asLong());
      String said = line.path("formattedMessage").asText();
      String key = fact(line, "job") + "/" + fact(line, "vm");
      if (said.equals("run begins")) {
        open.put(
            key,
            new Run(
                member.name(),
                fact(line, "job"),
                fact(line, "vm"),
                Instant.parse(fact(line, "due")),
                at,
                Optional.empty()));
      } else if (said.startsWith("run done")) {
        Run run = java.util.Objects.requireNonNull(open.remove(key));
        runs.add(
            new Run(run.agent(), run.job(), run.vm(), run.due(), run.began(), Optional.of(at)));
      }
    }
    runs.addAll(open.values());
    return runs;
  }

  private static String fact(JsonNode line, String name) {
    return line.findPath(name).asText();
  }

  private Path configure(Path repository, PostgresServer postgres) throws IOException {
    StringBuilder vms = new StringBuilder();
    TreeSet<String> names = new TreeSet<>();
    for (int i = 0; i < VMS; i++) {
      Path image = folder.resolve("vm" + i + ".qcow2");
      QemuImg.create(image, "cluster_size=64k", 4 << 20);
      QemuIo.of(image, List.of("write -P " + (i + 1) + " 0 1M"));
      vms.append("  vm%d: { disks: { vda: %s } }%n".formatted(i, image));
      names.add("vm" + i);
    }
    String job =
        "{ repository: here, vms: %s, schedule: { cron: \"0/%d * * * * ?\" }, retry: { attempts: 1 },"
            + " hooks: { before: { command: [/bin/sleep, \"0.3\"] } } }";
    Path config = folder.resolve("cowbell.yaml");
    Files.writeString(
        config,
        """
        agent:
          concurrency: 3
          stop-within: 30s
          job-store: { type: postgresql, url: "%s", user: cowbell }
        repositories: { here: { url: %s } }
        vms:
        %s
        jobs:
          one: %s
          other: %s
        """
            .formatted(
                postgres.url(),
                repository,
                vms,
                job.formatted(names, EVERY.toSeconds()),
                job.formatted(names, EVERY.toSeconds())));
    return config;
  }
}
