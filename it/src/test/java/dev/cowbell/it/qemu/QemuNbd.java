package dev.cowbell.it.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.bitmaps.ExtentSet;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A {@code qemu-nbd} that serves one image until it is closed, or killed. */
public final class QemuNbd implements Closeable {
  private final Process process;
  private final Path directory;

  private QemuNbd(Process process, Path directory) {
    this.process = process;
    this.directory = directory;
  }

  /**
   * Starts a server and waits until it listens.
   *
   * @param options what stands before the image, for instance {@code -r}
   */
  public static QemuNbd serve(Path image, String... options) {
    try {
      Path directory = Files.createTempDirectory("nbd");
      List<String> command =
          new ArrayList<>(List.of("qemu-nbd", "-t", "-f", "qcow2", "-k", directory + "/s"));
      command.addAll(List.of(options));
      command.add(image.toString());
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(directory.resolve("log").toFile())
              .start();
      QemuNbd server = new QemuNbd(process, directory);
      server.await();
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void await() throws IOException {
    long deadline = System.nanoTime() + Shell.TIMEOUT.toNanos();
    while (!listens()) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        String log = Files.readString(directory.resolve("log"));
        close();
        throw new AssertionError("qemu-nbd: " + log);
      }
      pause();
    }
  }

  /** The socket is there a moment before it takes connections; the kernel knows. */
  private boolean listens() throws IOException {
    String socket = " " + directory.resolve("s");
    return Files.readAllLines(Path.of("/proc/net/unix")).stream()
        .anyMatch(line -> line.endsWith(socket) && line.contains(" 00010000 "));
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(5);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  public String uri() {
    return "nbd+unix:///?socket=" + directory + "/s";
  }

  /** What a bitmap of an image that nobody has open marks, by QEMU's own account. */
  public static ExtentSet dirty(Path image, String bitmap) {
    try (QemuNbd server = serve(image, "-r", "--bitmap=" + bitmap)) {
      ExtentSet.Builder dirty = ExtentSet.builder();
      String map = "--map=qemu:dirty-bitmap:" + bitmap;
      JsonNode runs = QemuImg.json(Shell.run("nbdinfo", "--json", map, server.uri()).success());
      for (JsonNode run : runs) {
        if ((run.get("type").asInt() & 1) != 0) {
          dirty.add(run.get("offset").asLong(), run.get("length").asLong());
        }
      }
      return dirty.build();
    }
  }

  /** Ends the server in peace; the image is closed when this returns. */
  @Override
  public void close() {
    terminate();
    cleanUp();
  }

  /** qemu-nbd forgets a SIGTERM that arrives while it is still starting, so it is told again. */
  private void terminate() {
    long deadline = System.nanoTime() + Shell.TIMEOUT.toNanos();
    while (process.isAlive() && System.nanoTime() < deadline) {
      process.destroy();
      for (int i = 0; i < 100 && process.isAlive(); i++) {
        pause();
      }
    }
    process.destroyForcibly();
  }

  private void cleanUp() {
    try {
      process.waitFor();
      Files.deleteIfExists(directory.resolve("s"));
      Files.deleteIfExists(directory.resolve("log"));
      Files.deleteIfExists(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
