package dev.cowbell.agent.daemon;

import dev.cowbell.agent.config.HookCommand;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a command of the user's. The command is started as it stands, without a shell; what it
 * prints goes to the log.
 */
public final class ExternalCommand {

  private static final Logger LOG = LoggerFactory.getLogger(ExternalCommand.class);

  /** How much of a command's output is kept for the log. */
  private static final int MAX_OUTPUT = 8 << 10;

  private static final long GRACE_SECONDS = 5;

  private final String name;
  private final HookCommand hook;

  /**
   * @param name what the command is called in messages
   */
  public ExternalCommand(String name, HookCommand hook) {
    this.name = name;
    this.hook = hook;
  }

  /**
   * Runs the command to its end.
   *
   * @param facts what it finds in its environment
   * @param input what it finds on its standard input
   * @throws IOException if it can't be started, ends with another code than 0, or takes too long;
   *     it and what it started is killed then
   */
  public void run(Map<String, String> facts, byte[] input)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(hook.command()).redirectErrorStream(true);
    builder.environment().putAll(facts);
    Process process = builder.start();
    ByteArrayOutputStream output = new ByteArrayOutputStream();
    Thread.ofVirtual().start(() -> feed(process.getOutputStream(), input));
    Thread reader = Thread.ofVirtual().start(() -> drain(process.getInputStream(), output));
    try {
      if (!process.waitFor(hook.timeout().toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IOException(
            "%s took longer than %d s and was killed".formatted(this, hook.timeout().toSeconds()));
      }
    } finally {
      kill(process);
      reader.join(java.time.Duration.ofSeconds(GRACE_SECONDS));
      String said = output.toString(StandardCharsets.UTF_8).strip();
      if (!said.isEmpty()) {
        LOG.atInfo().addKeyValue("command", name).log("{}", said);
      }
    }
    if (process.exitValue() != 0) {
      throw new IOException("%s ended with %d".formatted(this, process.exitValue()));
    }
  }

  /**
   * What the command started is listed first: it has no parent to be found by once that is gone.
   */
  private static void kill(Process process) throws InterruptedException {
    if (!process.isAlive()) {
      return;
    }
    List<ProcessHandle> all =
        Stream.concat(process.descendants(), Stream.of(process.toHandle())).toList();
    all.forEach(ProcessHandle::destroy);
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(GRACE_SECONDS);
    while (all.stream().anyMatch(ProcessHandle::isAlive) && System.nanoTime() < deadline) {
      Thread.sleep(20);
    }
    all.stream()
        .flatMap(one -> Stream.concat(one.descendants(), Stream.of(one)))
        .toList()
        .forEach(ProcessHandle::destroyForcibly);
    process.waitFor(GRACE_SECONDS, TimeUnit.SECONDS);
  }

  /** A command may end, or close its input, without having read it. */
  private static void feed(OutputStream to, byte[] input) {
    try (to) {
      to.write(input);
    } catch (IOException e) {
      LOG.debug("a command did not read its input: {}", e.getMessage());
    }
  }

  /** Reads on when nothing more is kept: the command must not block on a full pipe. */
  private static void drain(InputStream from, ByteArrayOutputStream output) {
    byte[] buffer = new byte[4096];
    try (from) {
      for (int read = from.read(buffer); read >= 0; read = from.read(buffer)) {
        output.write(buffer, 0, Math.min(read, MAX_OUTPUT - output.size()));
      }
    } catch (IOException e) {
      LOG.debug("the rest of a killed command's output is lost: {}", e.getMessage());
    }
  }

  @Override
  public String toString() {
    return name + " " + hook.command().getFirst();
  }
}
