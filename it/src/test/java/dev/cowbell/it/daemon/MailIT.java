package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real agent sends mail to real servers that speak TLS and want a password. */
final class MailIT {

  private static final String PASSWORD = "the right word";

  @TempDir private Path folder;

  /**
   * How a channel is set up.
   *
   * @param serves what its server does
   * @param asks what the agent is told to do
   */
  private record Setup(String serves, String certificate, String asks, String trusts, String env) {}

  private final Map<String, Setup> setups = new LinkedHashMap<>();

  private Path certificate(Path key, String name, String alternative) {
    Path file = folder.resolve(name + ".pem");
    Shell.run(
            "openssl",
            "req",
            "-x509",
            "-key",
            key,
            "-out",
            file,
            "-days",
            "2",
            "-subj",
            "/CN=" + name,
            "-addext",
            "subjectAltName=" + alternative)
        .success();
    return file;
  }

  @Test
  void logs_in_over_tls_and_refuses_whoever_it_can_not_trust() throws Exception {
    Path key = folder.resolve("key.pem");
    Shell.run(
            "openssl",
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            key)
        .success();
    String here = certificate(key, "here", "IP:127.0.0.1").toString();
    String elsewhere = certificate(key, "elsewhere", "DNS:mail.example.org").toString();
    String trusted = "certificates: " + here + ", ";
    setups.put("starttls", new Setup("starttls", here, "starttls", trusted, "RIGHT"));
    setups.put("tls", new Setup("tls", here, "tls", trusted, "RIGHT"));
    setups.put("unknown", new Setup("starttls", here, "starttls", "", "RIGHT"));
    setups.put("unknown-tls", new Setup("tls", here, "tls", "", "RIGHT"));
    setups.put(
        "other-name",
        new Setup("tls", elsewhere, "tls", "certificates: " + elsewhere + ", ", "RIGHT"));
    setups.put("wrong-password", new Setup("starttls", here, "starttls", trusted, "WRONG"));
    setups.put("stripped", new Setup("plain", here, "starttls", trusted, "RIGHT"));
    List<Integer> ports = freePorts(setups.size());
    Path taken = folder.resolve("taken");
    Process server = serve(key, taken, ports);
    try (AgentProcess agent =
        AgentProcess.start(
            folder, configure(ports), Map.of("RIGHT", PASSWORD, "WRONG", "another word"))) {
      agent.await("the mail server", () -> Files.exists(taken));
      agent.awaitSaid("run failed", 1);
      agent.await("two mails", () -> mails(taken).size() == 2);
      agent.awaitSaid("not notified yet", setups.size() - 2);
      assertThat(problem(agent, "unknown")).contains("its certificate is not trusted");
      assertThat(problem(agent, "unknown-tls")).contains("its certificate is not trusted");
      assertThat(problem(agent, "other-name"))
          .contains("its certificate is not trusted", "127.0.0.1");
      assertThat(problem(agent, "wrong-password")).contains("refused the login of cowbell", "535");
      assertThat(problem(agent, "stripped")).contains("STARTTLS is required");
      assertThat(agent.log().toString()).doesNotContain(PASSWORD, "another word");
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
    } finally {
      server.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
    }
    assertThat(mails(taken))
        .extracting(mail -> mail.get("port").asInt())
        .containsExactlyInAnyOrder(ports.get(0), ports.get(1));
    assertThat(mails(taken))
        .allSatisfy(mail -> {
          assertThat(mail.get("user").asText()).isEqualTo("cowbell");
          assertThat(mail.get("to").get(0).asText()).isEqualTo("ops@example.org");
          assertThat(mail.get("content").asText())
              .contains("Subject: Cowbell on test-host: failure of web (nightly)")
              .contains("no such file or directory");
        });
    assertThat(lines(taken).stream().filter(line -> line.has("login")))
        .as("who was given a password")
        .extracting(line -> line.get("port").asInt())
        .contains(ports.get(0), ports.get(1), ports.get(5))
        .doesNotContain(ports.get(2), ports.get(3), ports.get(4), ports.get(6));
  }

  private static String problem(AgentProcess agent, String channel) throws IOException {
    return agent.log().stream()
        .filter(line -> line.toString().contains("\"channel\":\"" + channel + "\""))
        .map(line -> line.path("formattedMessage").asText())
        .findFirst()
        .orElse("nothing was said of " + channel);
  }

  private Process serve(Path key, Path taken, List<Integer> ports) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                "/usr/bin/python3",
                Path.of("src/test/resources/dev/cowbell/it/daemon/smtp_server.py").toString(),
                taken.toString(),
                key.toString()));
    int i = 0;
    for (Setup setup : setups.values()) {
      command.addAll(
          List.of(Integer.toString(ports.get(i++)), setup.serves(), setup.certificate()));
    }
    return new ProcessBuilder(command)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(folder.resolve("server.log").toFile())
        .start();
  }

  private Path configure(List<Integer> ports) throws IOException {
    Path repository = folder.resolve("repository");
    Cowbell.of("init", "--repo", repository);
    StringBuilder channels = new StringBuilder();
    int i = 0;
    for (var setup : setups.entrySet()) {
      channels.append(
          """
            %s:
              email: { host: 127.0.0.1, port: %d, security: %s, %suser: cowbell, password: { env: %s }, from: cowbell@example.org, to: [ops@example.org] }
              on: [failure]
              at-most-every: 1s
          """
              .formatted(
                  setup.getKey(),
                  ports.get(i++),
                  setup.getValue().asks(),
                  setup.getValue().trusts(),
                  setup.getValue().env()));
    }
    Path config = folder.resolve("cowbell.yaml");
    Files.writeString(
        config,
        """
        agent: { name: test-host }
        repositories: { here: { url: %s } }
        vms: { web: { disks: { vda: %s } } }
        jobs:
          nightly:
            repository: here
            vms: [web]
            schedule: { cron: "0/5 * * * * ?" }
            retry: { attempts: 1 }
        notifications:
        %s
        """
            .formatted(repository, folder.resolve("missing.qcow2"), channels));
    return config;
  }

  private static List<JsonNode> lines(Path file) throws IOException {
    return Files.readAllLines(file).stream()
        .filter(line -> line.endsWith("}"))
        .map(QemuImg::json)
        .toList();
  }

  /** The first mail on each port. */
  private static List<JsonNode> mails(Path file) throws IOException {
    Map<Integer, JsonNode> first = new LinkedHashMap<>();
    lines(file).stream()
        .filter(line -> line.has("content"))
        .forEach(line -> first.putIfAbsent(line.get("port").asInt(), line));
    return List.copyOf(first.values());
  }

  private static List<Integer> freePorts(int count) throws IOException {
    List<ServerSocket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        sockets.add(new ServerSocket(0));
      }
      return IntStream.range(0, count).map(i -> sockets.get(i).getLocalPort()).boxed().toList();
    } finally {
      for (ServerSocket socket : sockets) {
        socket.close();
      }
    }
  }
}
