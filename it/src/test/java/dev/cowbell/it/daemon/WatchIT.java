package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.icegreen.greenmail.util.GreenMail;
import com.icegreen.greenmail.util.ServerSetup;
import com.sun.net.httpserver.HttpServer;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import jakarta.mail.internet.MimeMessage;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a real agent tells real receivers, what it verifies, and what the terminal shows of it. */
final class WatchIT {

  private static final String NEVER = "schedule: { cron: \"0 0 29 2 *\" }, retry: { attempts: 1 }";

  @TempDir private Path folder;
  private Path image;
  private Path repository;
  private Path config;
  private int port;

  @BeforeEach
  void makeImage() throws IOException {
    image = folder.resolve("web.qcow2");
    repository = folder.resolve("repository");
    config = folder.resolve("cowbell.yaml");
    port = freePort();
    QemuImg.create(image, "cluster_size=64k", 16 << 20);
    QemuIo.of(image, List.of("write -P 1 0 4M"));
    Cowbell.of("init", "--repo", repository);
  }

  private void configure(String jobs, String notifications) throws IOException {
    Files.writeString(
        config,
        """
        agent: { name: test-host, status: "127.0.0.1:%d" }
        repositories: { here: { url: %s } }
        vms: { web: { disks: { vda: %s } } }
        jobs:
        %s
        %s
        """
            .formatted(port, repository, image, jobs.indent(2), notifications));
  }

  private void run(AgentProcess agent, String job, String said) throws Exception {
    long before = agent.said(said);
    agent.await(
        "the agent to take the request",
        () -> Cowbell.run("run", job, "--config", config).exit() == 0);
    agent.awaitSaid(said, before + 1);
  }

  @Test
  void tells_failure_recovery_and_staleness_by_webhook_mail_and_command() throws Exception {
    List<String> posted = new CopyOnWriteArrayList<>();
    AtomicInteger refusals = new AtomicInteger(1);
    HttpServer hook =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    hook.createContext(
        "/secret-token",
        exchange -> {
          try (exchange) {
            String body =
                new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            boolean refused = refusals.getAndDecrement() > 0;
            if (!refused) {
              posted.add(body);
            }
            exchange.sendResponseHeaders(refused ? 503 : 204, -1);
          }
        });
    hook.start();
    ServerSetup smtp = new ServerSetup(freePort(), "127.0.0.1", ServerSetup.PROTOCOL_SMTP);
    GreenMail mail = new GreenMail(smtp);
    mail.start();
    Path notes = folder.resolve("notes");
    Path script = folder.resolve("note");
    Files.writeString(script, "#!/bin/sh\ncat >> " + notes + "\necho >> " + notes + "\n");
    assertThat(script.toFile().setExecutable(true)).isTrue();
    configure(
        "nightly: { repository: here, vms: [web], %s }".formatted(NEVER),
        """
        notifications:
          chat: { webhook: { url-from: { env: HOOK } }, on: [failure, recovery], at-most-every: 1s }
          people:
            email: { host: 127.0.0.1, port: %d, security: none, from: cowbell@example.org, to: [ops@example.org] }
            on: [failure, recovery]
            at-most-every: 1s
          late: { command: [%s], on: [stale], stale-after: 4s, at-most-every: 1s }
        """
            .formatted(smtp.getPort(), script));
    String url = "http://127.0.0.1:" + hook.getAddress().getPort() + "/secret-token";
    MimeMessage[] mails;
    Path away = folder.resolve("away.qcow2");
    try (AgentProcess agent = AgentProcess.start(folder, config, Map.of("HOOK", url))) {
      agent.await("stale", () -> Files.exists(notes) && Files.readString(notes).contains("stale"));
      Files.move(image, away);
      run(agent, "nightly", "run failed");
      agent.await("the failure", () -> posted.size() == 1);
      agent.await("the mail", () -> mail.getReceivedMessages().length == 1);
      Files.move(away, image);
      run(agent, "nightly", "run done");
      agent.await("the recovery", () -> posted.size() == 2);
      agent.await("the second mail", () -> mail.getReceivedMessages().length == 2);
      mails = mail.getReceivedMessages();
      agent.await("late to recover and be late again", () -> lines(notes, "stale") == 2);
      agent.awaitSaid("not notified yet", 1);
      assertThat(agent.said("secret-token")).isZero();
      assertThat(metrics())
          .contains("cowbell_notifications_total{channel=\"chat\",outcome=\"delivered\"} 2.0");
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
    } finally {
      mail.stop();
      hook.stop(0);
    }
    JsonNode failure = QemuImg.json(posted.get(0)).get("events").get(0);
    assertThat(failure.get("kind").asText()).isEqualTo("failure");
    assertThat(failure.get("vm").asText()).isEqualTo("web");
    assertThat(failure.get("job").asText()).isEqualTo("nightly");
    assertThat(failure.get("text").asText()).contains("no such file or directory");
    assertThat(QemuImg.json(posted.get(1)).get("events").get(0).get("kind").asText())
        .isEqualTo("recovery");
    MimeMessage first = mails[0];
    assertThat(first.getSubject()).isEqualTo("Cowbell on test-host: failure of web (nightly)");
    assertThat(first.getContent().toString()).contains("no such file or directory");
    assertThat(lines(notes, "stale")).isEqualTo(2);
  }

  private static long lines(Path file, String word) throws IOException {
    try (Stream<String> lines = Files.lines(file)) {
      return lines.filter(line -> line.contains("\"kind\":\"" + word + "\"")).count();
    }
  }

  @Test
  void a_verification_job_finds_damage_and_the_terminal_shows_it() throws Exception {
    configure(
        """
        nightly: { repository: here, vms: [web], %s }
        check: { repository: here, vms: [web], %s, verify: { level: data } }
        share: { repository: here, vms: [web], schedule: { every: 7d }, verify: { within: 30d } }
        """
            .formatted(NEVER, NEVER),
        "");
    assertThat(Cowbell.run("status", "--config", config).exit()).isEqualTo(3);
    try (AgentProcess agent = AgentProcess.start(folder, config, Map.of())) {
      run(agent, "nightly", "run done");
      run(agent, "check", "run done");
      run(agent, "share", "run done");
      assertThat(repository.resolve("vms/web/verified/check.json")).exists();
      assertThat(repository.resolve("vms/web/verified/share.json")).exists();
      assertThat(Cowbell.of("status", "--config", config))
          .contains("web", "good", "check", "Agent test-host");
      assertThat(Cowbell.of("status", "--repo", repository)).contains("web", "good");
      JsonNode json = QemuImg.json(Cowbell.of("status", "--config", config, "--json"));
      assertThat(json.get("vms").get(0).get("points").asInt()).isEqualTo(1);
      assertThat(json.get("vms").get(0).get("health").asText()).isEqualTo("good");
      assertThat(json.get("ended")).hasSize(3);
      assertThat(json.get("jobs")).hasSize(3);

      Path overlay;
      try (Stream<Path> files = Files.list(repository.resolve("vms/web/disks/vda"))) {
        overlay =
            files.filter(file -> file.toString().endsWith(".qcow2")).findFirst().orElseThrow();
      }
      try (RandomAccessFile file = new RandomAccessFile(overlay.toFile(), "rw")) {
        file.setLength(file.length() - 100);
      }
      run(agent, "check", "run failed");
      assertThat(metrics())
          .contains("cowbell_verified_damaged_objects{job=\"check\",vm=\"web\"} 1.0");
      assertThat(Cowbell.run("run", "nigthly", "--config", config).exit()).isEqualTo(6);
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
    }
    assertThat(Cowbell.run("run", "nightly", "--config", config).exit()).isEqualTo(1);
  }

  private String metrics() throws IOException {
    try (var in = URI.create("http://127.0.0.1:" + port + "/metrics").toURL().openStream()) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
