package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.schedule.PostgresServer;
import dev.cowbell.storage.s3.S3ProxyServer;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Runs every job of every sample configuration. Only places are changed: images, repositories and
 * databases are real ones of this machine.
 */
final class SamplesIT {

  private static final Pattern IMAGE = Pattern.compile("/[A-Za-z0-9/._-]+\\.qcow2");
  private static final Pattern BUCKET = Pattern.compile("s3://[^\\s]+");
  private static final Pattern DIRECTORY = Pattern.compile("(?<=url: )(file://)?/[^\\s]+");

  @TempDir private Path folder;

  static Stream<Path> samples() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("..", "config-samples"))) {
      return files.filter(file -> file.toString().endsWith(".yaml")).sorted().toList().stream();
    }
  }

  @ParameterizedTest
  @MethodSource("samples")
  void each_job_of_a_sample_makes_restore_points(Path sample) throws Exception {
    String text = Files.readString(sample);
    PostgresServer postgres = text.contains("jdbc:postgresql:") ? PostgresServer.start() : null;
    try (S3ProxyServer s3 = new S3ProxyServer()) {
      Map<String, String> environment =
          Map.of(
              "AWS_ACCESS_KEY_ID", S3ProxyServer.ACCESS_KEY,
              "AWS_SECRET_ACCESS_KEY", S3ProxyServer.SECRET_KEY,
              "COWBELL_DB_PASSWORD", "any");
      Set<String> repositories = new HashSet<>();
      text = IMAGE.matcher(text).replaceAll(at -> Matcher.quoteReplacement(image(at.group())));
      text =
          BUCKET
              .matcher(text)
              .replaceAll(at -> {
                String url =
                    at.group().replaceFirst("\\?.*", "")
                        + "?endpoint="
                        + s3.endpoint()
                        + "&region=us-east-1&path-style=true";
                repositories.add(url);
                return Matcher.quoteReplacement(url);
              });
      text =
          DIRECTORY
              .matcher(text)
              .replaceAll(at -> {
                Path place = folder.resolve("repository");
                repositories.add(place.toString());
                return Matcher.quoteReplacement((at.group(1) == null ? "" : "file://") + place);
              });
      if (postgres != null) {
        text = text.replaceAll("jdbc:postgresql:[^\\s]+", postgres.url());
      }
      repositories.forEach(url -> Cowbell.runWith(environment, "init", "--repo", url).success());
      int port = freePort();
      Path config = folder.resolve("cowbell.yaml");
      Files.writeString(config, withStatus(text, port));
      JsonNode jobs = QemuImg.json(Cowbell.of("config", "check", "--json", config)).get("jobs");
      try (AgentProcess agent = AgentProcess.start(folder, config, environment)) {
        runAll(agent, jobs, port);
        agent.signal("TERM");
        assertThat(agent.exit()).isZero();
        assertThat(agent.said("run failed")).isZero();
      }
      for (JsonNode job : jobs) {
        for (JsonNode vm : job.get("vms")) {
          JsonNode points =
              QemuImg.json(
                      Cowbell.runWith(
                              environment,
                              "points",
                              "--repo",
                              job.get("repository").asText(),
                              "--vm",
                              vm.asText(),
                              "--json")
                          .success())
                  .get("points");
          assertThat(points).as("%s of %s", vm, job.get("name")).isNotEmpty();
        }
      }
    } finally {
      if (postgres != null) {
        postgres.stop();
      }
    }
  }

  private static void runAll(AgentProcess agent, JsonNode jobs, int port) throws Exception {
    HttpClient http = HttpClient.newHttpClient();
    agent.awaitSaid("configuration in force", 1);
    long runs = 0;
    for (JsonNode job : jobs) {
      URI run =
          URI.create("http://127.0.0.1:%d/jobs/%s/run".formatted(port, job.get("name").asText()));
      HttpRequest request =
          HttpRequest.newBuilder(run)
              .header("X-Cowbell", "1")
              .POST(HttpRequest.BodyPublishers.noBody())
              .build();
      agent.await(
          "the agent to take the request",
          () -> {
            try {
              return http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode() == 202;
            } catch (IOException e) {
              return false;
            }
          });
      runs += job.get("vms").size();
    }
    agent.awaitSaid("run done", runs);
  }

  /** The sample with a status page, by which jobs are started. */
  private static String withStatus(String text, int port) {
    String line = "  status: \"127.0.0.1:%d\"\n".formatted(port);
    String without = text.replaceAll("(?m)^  status:.*\n", "");
    return without.contains("\nagent:\n")
        ? without.replace("\nagent:\n", "\nagent:\n" + line)
        : without + "\nagent:\n" + line;
  }

  /** A real image in place of one that a sample names. */
  private String image(String path) {
    Path image = folder.resolve(path.substring(1).replace('/', '_'));
    if (Files.notExists(image)) {
      QemuImg.create(image, "cluster_size=64k", 8 << 20);
      QemuIo.of(image, List.of("write -P " + (path.hashCode() & 0x7f) + " 1M 1M"));
    }
    return image.toString();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
