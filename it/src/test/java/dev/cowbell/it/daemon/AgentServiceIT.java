package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AgentServiceIT {

  private static final String OFTEN = "cron: \"0/2 * * * * ?\"";
  private static final String NEVER = "cron: \"0 0 29 2 *\"";

  @TempDir private Path folder;
  private Path image;
  private Path repository;

  @BeforeEach
  void makeImage() {
    image = folder.resolve("web.qcow2");
    repository = folder.resolve("repository");
    QemuImg.create(image, "cluster_size=64k", 16 << 20);
    QemuIo.of(image, List.of("write -P 1 0 1M"));
    Cowbell.of("init", "--repo", repository);
  }

  private Path config(String schedule, String more) throws IOException {
    Path file = folder.resolve("cowbell.yaml");
    Path next = folder.resolve("cowbell.yaml.next");
    Files.writeString(
        next,
        """
        agent:
          stop-within: 20s
        repositories:
          here:
            url: %s
        vms:
          web:
            disks:
              vda: %s
        jobs:
          all:
            repository: here
            vms: [web]
            schedule: { %s }
        %s
        """
            .formatted(repository, image, schedule, more.indent(4)));
    return Files.move(
        next,
        file,
        java.nio.file.StandardCopyOption.REPLACE_EXISTING,
        java.nio.file.StandardCopyOption.ATOMIC_MOVE);
  }

  private JsonNode points() {
    return QemuImg.json(Cowbell.of("points", "--repo", repository, "--json")).get("points");
  }

  @Test
  void runs_a_job_when_it_is_due_and_ends_when_told() throws Exception {
    try (AgentProcess agent = AgentProcess.start(folder, config(OFTEN, ""), Map.of())) {
      agent.awaitSaid("run done", 2);
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
      assertThat(points()).hasSizeGreaterThanOrEqualTo(2);
      assertThat(points().get(0).get("kind").asText()).isEqualTo("full");
      assertThat(points().get(1).get("kind").asText()).isEqualTo("incremental");
      assertThat(agent.log())
          .as("facts under keys of their own")
          .anySatisfy(line ->
              assertThat(line.toString()).contains("\"point\":", "\"vm\":\"web\"", "\"stored\":"));
    }
    Path restored = folder.resolve("restored.qcow2");
    Cowbell.of(
        "restore", "--repo", repository, "--vm", "web", "--to", restored, "--format", "qcow2");
    QemuImg.of("compare", "-f", "qcow2", "-F", "qcow2", image, restored);
  }

  @Test
  void prunes_after_each_backup_by_the_rules_of_the_job() throws Exception {
    String rules = "retention: { last: 2, max-chain: 2 }";
    try (AgentProcess agent = AgentProcess.start(folder, config(OFTEN, rules), Map.of())) {
      agent.awaitSaid("pruned", 5);
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
      assertThat(agent.said("run failed")).isZero();
    }
    assertThat(points()).hasSize(2);
    Cowbell.of("verify", "--repo", repository, "--level", "data");
    Path restored = folder.resolve("restored.qcow2");
    Cowbell.of(
        "restore", "--repo", repository, "--vm", "web", "--to", restored, "--format", "qcow2");
    QemuImg.of("compare", "-f", "qcow2", "-F", "qcow2", image, restored);
  }

  @Test
  void reads_its_configuration_again_and_keeps_the_old_one_when_the_new_is_wrong()
      throws Exception {
    Path file = config(NEVER, "");
    try (AgentProcess agent = AgentProcess.start(folder, file, Map.of())) {
      agent.awaitSaid("configuration in force", 1);
      String good = Files.readString(file);
      Files.writeString(file, good.replace("schedule:", "shedule:"));
      agent.signal("HUP");
      agent.awaitSaid("the configuration stays as it was", 1);
      assertThat(agent.log())
          .anySatisfy(
              line -> assertThat(line.toString()).contains("cowbell.yaml:", "did you mean"));
      assertThat(agent.said("run begins")).isZero();
      config(OFTEN, "");
      agent.signal("HUP");
      agent.awaitSaid("run done", 1);
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
    }
  }

  @Test
  void runs_hooks_around_a_run_and_gives_up_the_run_when_the_first_fails() throws Exception {
    Path notes = folder.resolve("notes");
    Path before = script("before", "echo \"before $COWBELL_VM $COWBELL_STATE\" >> " + notes);
    Path after =
        script(
            "after", "echo \"after $COWBELL_STATE [$COWBELL_POINT]\" >> " + notes + "; sleep 60");
    config(
        NEVER,
        "hooks:\n  before: { command: [%s] }\n  after: { command: [%s], timeout: 1s }\n"
            .formatted(before, after));
    var run = Cowbell.run("agent", "--config", folder.resolve("cowbell.yaml"), "--once", "all");
    assertThat(run.exit()).as(run.toString()).isEqualTo(3);
    assertThat(run.err()).contains("after hook", "took longer than 1 s and was killed");
    String point = points().get(0).get("id").asText();
    assertThat(Files.readString(notes))
        .isEqualTo("before web begins\nafter done [" + point + "]\n");

    Path failing = script("failing", "echo no; exit 7");
    config(
        NEVER, "retry: { attempts: 1 }\nhooks:\n  before: { command: [%s] }\n".formatted(failing));
    run = Cowbell.run("agent", "--config", folder.resolve("cowbell.yaml"), "--once", "all");
    assertThat(run.exit()).isEqualTo(1);
    assertThat(run.err()).contains("before hook", "ended with 7");
    assertThat(points()).hasSize(1);
  }

  private Path script(String name, String body) throws IOException {
    Path file = folder.resolve(name);
    Files.writeString(file, "#!/bin/sh\n" + body + "\n");
    file.toFile().setExecutable(true);
    return file;
  }

  @Test
  void a_run_that_is_stopped_leaves_the_image_as_it_was_and_is_done_by_the_next_agent()
      throws Exception {
    QemuIo.of(image, List.of("write -P 9 0 16M"));
    Path file = config(OFTEN, "bandwidth: 64K");
    Files.writeString(file, Files.readString(file).replace("stop-within: 20s", "stop-within: 1s"));
    // random data, so that the little bandwidth keeps the run busy
    Path random = folder.resolve("random");
    byte[] bytes = new byte[8 << 20];
    new java.util.Random(7).nextBytes(bytes);
    Files.write(random, bytes);
    QemuIo.of(image, List.of("write -s " + random + " 0 8M"));
    try (AgentProcess agent = AgentProcess.start(folder, file, Map.of())) {
      agent.awaitSaid("run begins", 1);
      Thread.sleep(1000);
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
      assertThat(agent.said("run stopped")).isEqualTo(1);
    }
    assertThat(QemuImg.of("info", "-f", "qcow2", image)).doesNotContain("cowbell:");
    assertThat(points()).isEmpty();
    try (AgentProcess agent = AgentProcess.start(folder, config(OFTEN, ""), Map.of())) {
      agent.awaitSaid("run done", 1);
    }
    assertThat(points()).isNotEmpty();
  }

  @Test
  void tells_the_service_manager_when_it_is_ready_and_when_it_stops() throws Exception {
    Path socket = folder.resolve("notify");
    Path told = folder.resolve("told");
    Process manager =
        new ProcessBuilder(
                "perl",
                "-MSocket",
                "-e",
                "socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!;"
                    + " $| = 1; while (defined(recv(S, $m, 4096, 0))) { $m =~ tr/\\n/ /; print \"$m\\n\" }",
                socket.toString())
            .redirectOutput(told.toFile())
            .start();
    try (AgentProcess agent =
        AgentProcess.start(
            waitFor(socket), config(NEVER, ""), Map.of("NOTIFY_SOCKET", socket.toString()))) {
      agent.await("READY", () -> Files.readString(told).contains("READY=1 STATUS=1 job"));
      agent.signal("HUP");
      agent.await("RELOADING", () -> Files.readString(told).contains("RELOADING=1"));
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
      assertThat(Files.readString(told)).contains("STOPPING=1");
    } finally {
      manager.destroyForcibly().waitFor(5, TimeUnit.SECONDS);
    }
  }

  private Path waitFor(Path socket) throws Exception {
    for (int i = 0; i < 100 && Files.notExists(socket); i++) {
      Thread.sleep(50);
    }
    return folder;
  }

  @Test
  void says_what_is_wrong_with_its_configuration() throws Exception {
    config("every: 1h, cron: \"@daily\"", "");
    var run = Cowbell.run("agent", "--config", folder.resolve("cowbell.yaml"));
    assertThat(run.exit()).isEqualTo(1);
    assertThat(run.err()).contains("cowbell.yaml:14:", "exactly one of the keys cron, every");
    config(NEVER, "");
    run = Cowbell.run("agent", "--config", folder.resolve("cowbell.yaml"), "--once", "al");
    assertThat(run.exit()).isEqualTo(6);
    assertThat(run.err()).contains("no job is named al", "has all");
  }
}
