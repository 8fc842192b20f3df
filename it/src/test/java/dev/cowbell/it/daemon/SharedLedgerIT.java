package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.schedule.PostgresServer;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is told once although several processes could tell it. */
final class SharedLedgerIT {

  private static final String NEVER = "schedule: { cron: \"0 0 29 2 *\" }, retry: { attempts: 1 }";

  @TempDir private Path folder;
  private Path image;
  private Path away;
  private Path repository;
  private Path notes;

  @BeforeEach
  void makeImage() {
    image = folder.resolve("web.qcow2");
    away = folder.resolve("away.qcow2");
    repository = folder.resolve("repository");
    notes = folder.resolve("notes");
    QemuImg.create(image, "cluster_size=64k", 4 << 20);
    QemuIo.of(image, List.of("write -P 1 0 1M"));
    Cowbell.of("init", "--repo", repository);
  }

  private Path configure(String name, String agent) throws IOException {
    Path script = folder.resolve("note");
    if (Files.notExists(script)) {
      // one write, so that two agents can't mix their lines
      Files.writeString(script, "#!/bin/sh\nx=$(cat)\nprintf '%s\\n' \"$x\" >> " + notes + "\n");
      assertThat(script.toFile().setExecutable(true)).isTrue();
    }
    Path config = folder.resolve(name + ".yaml");
    Files.writeString(
        config,
        """
        agent: { name: %s%s }
        repositories: { here: { url: %s } }
        vms: { web: { disks: { vda: %s } } }
        jobs: { nightly: { repository: here, vms: [web], %s } }
        notifications:
          runs: { command: [%s], on: [failure, recovery], at-most-every: 1s }
          late: { command: [%s], on: [stale, recovery], stale-after: 8s, at-most-every: 1s }
        """
            .formatted(name, agent, repository, image, NEVER, script, script));
    return config;
  }

  private List<JsonNode> told(String kind, boolean ofRun) throws IOException {
    return Files.notExists(notes)
        ? List.of()
        : Files.readAllLines(notes).stream()
            .map(QemuImg::json)
            .flatMap(message -> message.get("events").valueStream())
            .filter(event -> event.get("kind").asText().equals(kind) && event.has("job") == ofRun)
            .toList();
  }

  private String teller(String kind) throws IOException {
    return Files.readAllLines(notes).stream()
        .filter(line -> line.contains("\"kind\":\"" + kind + "\""))
        .map(line -> QemuImg.json(line).get("agent").asText())
        .findFirst()
        .orElseThrow();
  }

  @Test
  void two_agents_on_one_database_tell_each_thing_once() throws Exception {
    PostgresServer postgres = PostgresServer.start();
    try {
      String shared =
          ", job-store: { type: postgresql, url: \"%s\", user: cowbell }, status: \"127.0.0.1:%d\"";
      Path configA = configure("a", shared.formatted(postgres.url(), freePort()));
      Path configB = configure("b", shared.formatted(postgres.url(), freePort()));
      try (AgentProcess a = AgentProcess.start(folder, configA, Map.of());
          AgentProcess b = AgentProcess.start(folder, configB, Map.of())) {
        a.await("stale", () -> !told("stale", false).isEmpty());
        Files.move(image, away);
        ask(a, configA);
        a.await("the failure", () -> !told("failure", true).isEmpty());
        assertThat(told("stale", false)).hasSize(1);

        boolean diesA = teller("failure").equals("a");
        AgentProcess survivor = diesA ? b : a;
        Path config = diesA ? configB : configA;
        (diesA ? a : b).signal("KILL");
        Files.move(away, image);
        ask(survivor, config);
        survivor.await("the run", () -> survivor.said("run done") == 1);
        try (AgentProcess again = AgentProcess.start(folder, diesA ? configA : configB, Map.of())) {
          survivor.await(
              "both recoveries",
              () -> !told("recovery", true).isEmpty() && !told("recovery", false).isEmpty());
          ask(survivor, config);
          survivor.await(
              "a second run", () -> survivor.said("run done") + again.said("run done") == 2);
          survivor.await("to be stale again", () -> told("stale", false).size() == 2);
          Thread.sleep(3000); // whoever else would tell does so now
        }
      }
    } finally {
      postgres.stop();
    }
    assertThat(told("failure", true)).hasSize(1);
    // each of the two channels is told of it
    assertThat(told("recovery", true)).hasSize(2);
    assertThat(told("recovery", false)).hasSize(1);
    assertThat(told("stale", false)).hasSize(2);
  }

  private static void ask(AgentProcess agent, Path config) throws Exception {
    agent.await(
        "the agent to take the request",
        () -> Cowbell.run("run", "nightly", "--config", config).exit() == 0);
  }

  @Test
  void a_job_that_is_run_once_tells_of_failure_and_of_the_recovery_after_it() throws Exception {
    Path config = configure("once", "");
    Files.move(image, away);
    assertThat(Cowbell.run("agent", "--config", config, "--once", "nightly").exit()).isEqualTo(1);
    assertThat(told("failure", true)).hasSize(1);
    assertThat(repository.resolve("vms/web/told/runs.nightly.json")).exists();
    Files.move(away, image);
    Cowbell.of("agent", "--config", config, "--once", "nightly");
    assertThat(told("recovery", true)).as("one for each channel").hasSize(2);
    Cowbell.of("agent", "--config", config, "--once", "nightly");
    assertThat(told("recovery", true)).hasSize(2);
    assertThat(told("failure", true)).hasSize(1);
    Cowbell.of("prune", "--repo", repository, "--keep-last", "1");
    Cowbell.of("verify", "--repo", repository);
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
