package dev.cowbell.it.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A QEMU without a guest that has one image open for writing, and its monitor. */
public final class QemuSystem implements Closeable {
  private final Process process;
  private final BufferedReader replies;
  private final Writer commands;

  private QemuSystem(Process process) {
    this.process = process;
    this.replies = process.inputReader(StandardCharsets.UTF_8);
    this.commands = process.outputWriter(StandardCharsets.UTF_8);
  }

  /** Starts QEMU with the image as node {@code disk}. */
  public static QemuSystem open(Path image) {
    try {
      Process process =
          new ProcessBuilder(
                  "qemu-system-x86_64",
                  "-machine",
                  "none",
                  "-nodefaults",
                  "-display",
                  "none",
                  "-qmp",
                  "stdio",
                  "-blockdev",
                  "{\"driver\":\"qcow2\",\"node-name\":\"disk\",\"file\":{\"driver\":\"file\",\"filename\":\""
                      + image
                      + "\"}}")
              .redirectErrorStream(true)
              .start();
      QemuSystem system = new QemuSystem(process);
      String greeting = system.replies.readLine();
      if (greeting == null || !greeting.contains("QMP")) {
        process.destroyForcibly();
        throw new AssertionError("qemu-system-x86_64: " + greeting);
      }
      system.execute("{\"execute\":\"qmp_capabilities\"}");
      return system;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs a command that has to succeed, and gives what it returns. */
  public JsonNode execute(String command) {
    try {
      commands.write(command + "\n");
      commands.flush();
      for (String line = replies.readLine(); line != null; line = replies.readLine()) {
        JsonNode reply = QemuImg.json(line);
        if (reply.has("return")) {
          return reply.get("return");
        }
        if (reply.has("error")) {
          throw new AssertionError(command + ": " + line);
        }
      }
      throw new AssertionError("QEMU ended before it answered " + command);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What QEMU knows of the bitmaps of the image. */
  public JsonNode bitmaps() {
    for (JsonNode node : execute("{\"execute\":\"query-named-block-nodes\"}")) {
      if (node.get("node-name").asText().equals("disk")) {
        return node.path("dirty-bitmaps");
      }
    }
    throw new AssertionError("no node named disk");
  }

  /** Ends QEMU as a power failure would. */
  public void kill() {
    process.destroyForcibly();
    await();
  }

  @Override
  public void close() {
    if (process.isAlive()) {
      execute("{\"execute\":\"quit\"}");
    }
    await();
  }

  private void await() {
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
