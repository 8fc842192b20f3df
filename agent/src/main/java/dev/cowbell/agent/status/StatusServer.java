package dev.cowbell.agent.status;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.schedule.JobName;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the status page, its JSON, metrics and health on a loopback address. Nobody is asked who
 * they are, so: nothing but loopback, only names of this machine in the {@code Host} header (a web
 * page elsewhere must not get here by a name of its own), and what changes something wants a header
 * that no other site's page can send.
 */
public final class StatusServer implements Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(StatusServer.class);
  private static final String POLICY =
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:;"
          + " form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
  private static final int BACKLOG = 16;
  private static final int THREADS = 4;

  private final HttpServer server;
  private final ExecutorService threads;
  private final StatusPage pages = new StatusPage();
  private final Facts facts;

  /** What the server shows and whom it asks. */
  public record Facts(
      String agent,
      String version,
      Supplier<Configuration> configuration,
      RunBoard board,
      RepositoryWatch watch,
      RunMetrics metrics,
      RunNow runNow,
      InstantSource clock) {

    Snapshot snapshot() {
      return new Snapshot(
          agent,
          version,
          clock.instant(),
          configuration.get(),
          watch.views(),
          board.running(),
          board.ended());
    }
  }

  /** Starts a job. */
  @FunctionalInterface
  public interface RunNow {
    void start(JobName job) throws IOException;
  }

  private StatusServer(HttpServer server, ExecutorService threads, Facts facts) {
    this.server = server;
    this.threads = threads;
    this.facts = facts;
  }

  /**
   * Begins to serve.
   *
   * @param listen a loopback address; port 0 for any that is free
   */
  public static StatusServer start(InetSocketAddress listen, Facts facts) throws IOException {
    if (listen.getAddress() == null || !listen.getAddress().isLoopbackAddress()) {
      throw new IOException(
          listen + " is no loopback address; the status page asks for no password");
    }
    HttpServer http;
    try {
      http = HttpServer.create(listen, BACKLOG);
    } catch (IOException e) {
      throw new IOException(
          "the status page can't be served at " + listen + ": " + e.getMessage(), e);
    }
    ExecutorService threads =
        Executors.newFixedThreadPool(
            THREADS, Thread.ofPlatform().name("status-", 0).daemon().factory());
    StatusServer status = new StatusServer(http, threads, facts);
    http.setExecutor(threads);
    http.createContext("/", status::answer);
    http.start();
    return status;
  }

  /** Where it listens. */
  public InetSocketAddress address() {
    return server.getAddress();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      Answer answer;
      try {
        answer =
            isForUs(exchange) ? route(exchange) : Answer.text(403, "not a name of this machine");
      } catch (IOException | RuntimeException e) {
        LOG.warn(
            "{} {} failed", exchange.getRequestMethod(), exchange.getRequestURI().getPath(), e);
        answer = Answer.text(500, "something went wrong; the agent's log says what");
      }
      var headers = exchange.getResponseHeaders();
      headers.set("Content-Type", answer.type());
      headers.set("Content-Security-Policy", POLICY);
      headers.set("X-Content-Type-Options", "nosniff");
      headers.set("Referrer-Policy", "no-referrer");
      headers.set("Cache-Control", "no-store");
      byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(answer.code(), body.length);
      exchange.getResponseBody().write(body);
    }
  }

  private record Answer(int code, String type, String body) {
    static Answer text(int code, String text) {
      return new Answer(code, "text/plain; charset=utf-8", text + "\n");
    }

    static Answer html(String page) {
      return new Answer(200, "text/html; charset=utf-8", page);
    }
  }

  /** A browser that was led here by another name than this machine's own is sent away. */
  private static boolean isForUs(HttpExchange exchange) {
    String host = Optional.ofNullable(exchange.getRequestHeaders().getFirst("Host")).orElse("");
    String name = host.replaceFirst(":[0-9]*$", "");
    return name.equals("localhost")
        || name.equals("[::1]")
        || name.matches("127(\\.[0-9]{1,3}){3}");
  }

  private Answer route(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    if (path.startsWith("/jobs/") && path.endsWith("/run")) {
      return runNow(exchange, path.substring("/jobs/".length(), path.length() - "/run".length()));
    }
    if (!List.of("GET", "HEAD").contains(exchange.getRequestMethod())) {
      return Answer.text(405, "GET only");
    }
    return switch (path) {
      case "/" -> Answer.html(pages.overview(facts.snapshot()));
      case "/healthz" -> Answer.text(200, "ok");
      case "/metrics" -> new Answer(200, RunMetrics.CONTENT_TYPE, facts.metrics().text());
      case "/status.json" -> new Answer(200, "application/json", StatusJson.of(facts.snapshot()));
      case "/style.css" -> resource("style.css", "text/css; charset=utf-8");
      case "/page.js" -> resource("page.js", "text/javascript; charset=utf-8");
      default -> path.startsWith("/vm/") ? vm(path.substring("/vm/".length())) : notFound();
    };
  }

  private Answer vm(String index) {
    Snapshot now = facts.snapshot();
    if (!index.matches("[0-9]{1,6}") || Integer.parseInt(index) >= now.vms().size()) {
      return notFound();
    }
    return Answer.html(pages.vm(now, now.vms().get(Integer.parseInt(index))));
  }

  private Answer runNow(HttpExchange exchange, String name) throws IOException {
    if (!exchange.getRequestMethod().equals("POST")
        || exchange.getRequestHeaders().getFirst("X-Cowbell") == null) {
      return Answer.text(405, "POST with the header X-Cowbell only");
    }
    Optional<JobName> job =
        facts.configuration().get().jobs().keySet().stream()
            .filter(known -> known.value().equals(name))
            .findFirst();
    if (job.isEmpty()) {
      return notFound();
    }
    facts.runNow().start(job.get());
    return Answer.text(202, "started");
  }

  private static Answer notFound() {
    return Answer.text(404, "nothing here");
  }

  private static Answer resource(String name, String type) throws IOException {
    try (InputStream in = StatusServer.class.getResourceAsStream(name)) {
      return in == null
          ? notFound()
          : new Answer(200, type, new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
