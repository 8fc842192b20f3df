package dev.cowbell.it.schedule;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A PostgreSQL of one's own on loopback, with nothing in it. PostgreSQL refuses to run as root, so
 * root runs it as the user that its package makes.
 */
public final class PostgresServer {

  private static final Path INSTALLED = Path.of("/usr/lib/postgresql");
  private static final String UNPRIVILEGED = "postgres";

  private final Path directory;
  private final Process server;
  private final int port;

  private PostgresServer(Path directory, Process server, int port) {
    this.directory = directory;
    this.server = server;
    this.port = port;
  }

  public static PostgresServer start() throws IOException, InterruptedException {
    Path directory = Files.createTempDirectory("pg");
    if (isRoot()) {
      Files.setOwner(
          directory,
          FileSystems.getDefault()
              .getUserPrincipalLookupService()
              .lookupPrincipalByName(UNPRIVILEGED));
    }
    Path data = directory.resolve("data");
    Process init =
        command(
                directory,
                binary("initdb"),
                "--pgdata=" + data,
                "--username=cowbell",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C")
            .start();
    if (!init.waitFor(2, TimeUnit.MINUTES) || init.exitValue() != 0) {
      throw new IOException("initdb failed: " + Files.readString(log(directory)));
    }
    int port = freePort();
    Process server =
        command(
                directory,
                binary("postgres"),
                "-D",
                data.toString(),
                "-k",
                directory.toString(),
                "-h",
                "127.0.0.1",
                "-p",
                Integer.toString(port),
                "-c",
                "fsync=off")
            .start();
    PostgresServer started = new PostgresServer(directory, server, port);
    Runtime.getRuntime().addShutdownHook(new Thread(server::destroy));
    started.awaitReady();
    return started;
  }

  public String url() {
    return "jdbc:postgresql://127.0.0.1:" + port + "/postgres";
  }

  Connection connect() throws SQLException {
    return DriverManager.getConnection(url(), "cowbell", "");
  }

  private void awaitReady() throws IOException, InterruptedException {
    for (int i = 0; i < 600; i++) {
      try (Connection connection = connect()) {
        if (connection.isValid(5)) {
          return;
        }
      } catch (SQLException _) {
        Thread.sleep(Duration.ofMillis(100));
      }
      if (!server.isAlive()) {
        break;
      }
    }
    throw new IOException("PostgreSQL did not start: " + Files.readString(log(directory)));
  }

  /** The newest installed version's program. */
  private static String binary(String name) throws IOException {
    try (Stream<Path> versions = Files.list(INSTALLED)) {
      return versions
          .map(version -> version.resolve("bin").resolve(name))
          .filter(Files::isExecutable)
          .max(Comparator.naturalOrder())
          .map(Path::toString)
          .orElseThrow(() -> new IOException(name + " is missing: install postgresql"));
    } catch (java.nio.file.NoSuchFileException e) {
      throw new IOException(name + " is missing: install postgresql", e);
    }
  }

  private static ProcessBuilder command(Path directory, String... command) {
    List<String> words = new ArrayList<>();
    if (isRoot()) {
      words.addAll(
          List.of(
              "setpriv",
              "--reuid=" + UNPRIVILEGED,
              "--regid=" + UNPRIVILEGED,
              "--clear-groups",
              "--"));
    }
    words.addAll(List.of(command));
    return new ProcessBuilder(words)
        .directory(directory.toFile())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log(directory).toFile()));
  }

  private static Path log(Path directory) {
    return directory.resolve("log");
  }

  private static boolean isRoot() {
    return "root".equals(System.getProperty("user.name"));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  /** Stops the server and removes what it wrote. */
  public void stop() throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-QUIT", Long.toString(server.pid())).start().waitFor();
    if (!server.waitFor(30, TimeUnit.SECONDS)) {
      server.destroyForcibly().waitFor();
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
