package dev.cowbell.it.storage;

import dev.cowbell.storage.s3.S3Location;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;

/**
 * A real Ceph RADOS gateway on loopback, brought up by {@code it/rgw/up} the first time it is asked
 * for, shared by all tests of the run, and gone with this process, however that ends.
 *
 * @param endpoint where it answers
 * @param accessKey who may use it
 * @param secretKey and proves so
 */
public record CephGateway(URI endpoint, String accessKey, String secretKey) {

  private static final int TRIES = 3;
  private static final AtomicInteger LOCATIONS = new AtomicInteger();

  private static @Nullable CephGateway running;

  /** The gateway of this test run. */
  public static synchronized CephGateway running() throws IOException {
    if (running == null) {
      running = start();
    }
    return running;
  }

  /** A place in the gateway that nobody else uses; its bucket is yet to be made. */
  public S3Location newLocation() {
    return S3Location.parse(
        "s3://it-%d/some/where?endpoint=%s".formatted(LOCATIONS.incrementAndGet(), endpoint));
  }

  public InetSocketAddress address() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), endpoint.getPort());
  }

  public AwsCredentialsProvider credentials() {
    return StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey));
  }

  private static CephGateway start() throws IOException {
    List<String> failures = new ArrayList<>();
    for (int i = 0; i < TRIES; i++) {
      // Short, since unix sockets live in it.
      Path state = Files.createTempDirectory("rgw");
      Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(state)));
      Path log = Files.createTempFile("rgw", ".log");
      Process up = script("up", state, ProcessBuilder.Redirect.to(log.toFile()));
      List<String> answer;
      try (var out = up.inputReader()) {
        answer = out.lines().toList();
      }
      String said = Files.readString(log);
      Files.delete(log);
      if (exit(up) == 0 && answer.size() == 3) {
        return new CephGateway(URI.create(answer.get(0)), answer.get(1), answer.get(2));
      }
      // Somebody else may have taken one of the ports meanwhile.
      failures.add(said);
      stop(state);
    }
    throw new IOException("no Ceph gateway could be brought up: " + failures);
  }

  private static void stop(Path state) {
    try {
      if (Files.exists(state.resolve("ceph.conf"))) {
        exit(script("down", state, ProcessBuilder.Redirect.DISCARD));
      } else {
        Files.deleteIfExists(state);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Process script(String name, Path state, ProcessBuilder.Redirect errors)
      throws IOException {
    ProcessBuilder script =
        new ProcessBuilder(
                Path.of(System.getProperty("basedir", "."), "rgw", name)
                    .toAbsolutePath()
                    .toString())
            .redirectError(errors);
    script.environment().put("RGW_DIR", state.toString());
    script.environment().put("RGW_PORT", Integer.toString(freePort()));
    script.environment().put("RGW_MON_PORT", Integer.toString(freePort()));
    script.environment().put("RGW_OWNER", Long.toString(ProcessHandle.current().pid()));
    return script.start();
  }

  private static int exit(Process process) throws IOException {
    try {
      if (!process.waitFor(3, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        throw new IOException(process.info() + " takes too long");
      }
      return process.exitValue();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
