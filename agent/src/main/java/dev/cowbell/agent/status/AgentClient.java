package dev.cowbell.agent.status;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.cowbell.agent.schedule.JobName;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/** Asks a running agent of this machine, at the address of its status page. */
public final class AgentClient {

  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final long MAX_ANSWER = 64 << 20;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final URI base;

  /**
   * @param address what the configuration says under {@code status}
   */
  public AgentClient(InetSocketAddress address) {
    String host = address.getAddress().getHostAddress();
    this.base =
        URI.create(
            "http://%s:%d/"
                .formatted(host.contains(":") ? "[" + host + "]" : host, address.getPort()));
  }

  /**
   * What it tells of itself: see docs/agent.md for {@code /status.json}.
   *
   * @throws IOException when no agent answers
   */
  public JsonNode status() throws IOException, InterruptedException {
    HttpResponse<String> answer = send(request("status.json").GET());
    if (answer.statusCode() != 200) {
      throw new IOException("%s answered %d".formatted(base, answer.statusCode()));
    }
    return JSON.readTree(answer.body());
  }

  /**
   * Starts a job.
   *
   * @return false when the agent knows no such job
   * @throws IOException when no agent answers, or not as it should
   */
  public boolean run(JobName job) throws IOException, InterruptedException {
    HttpResponse<String> answer =
        send(
            request("jobs/" + job + "/run")
                .header("X-Cowbell", "run")
                .POST(HttpRequest.BodyPublishers.noBody()));
    return switch (answer.statusCode()) {
      case 202 -> true;
      case 404 -> false;
      default ->
          throw new IOException(
              "%s answered %d: %s".formatted(base, answer.statusCode(), answer.body().strip()));
    };
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(base.resolve(path)).timeout(PATIENCE);
  }

  private HttpResponse<String> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    try (HttpClient http =
        HttpClient.newBuilder()
            .connectTimeout(PATIENCE)
            .proxy(HttpClient.Builder.NO_PROXY)
            .build()) {
      return http.send(request.build(), BodyHandlers.limiting(BodyHandlers.ofString(), MAX_ANSWER));
    } catch (java.net.ConnectException e) {
      throw new IOException("no agent answers at " + base, e);
    }
  }
}
