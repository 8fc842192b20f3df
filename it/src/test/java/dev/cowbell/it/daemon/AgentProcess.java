package dev.cowbell.it.daemon;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.qemu.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** {@code cowbell agent} in a process of its own, with its log as JSON. */
final class AgentProcess implements AutoCloseable {

  static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Process process;
  private final Path log;

  private AgentProcess(Process process, Path log) {
    this.process = process;
    this.log = log;
  }

  static AgentProcess start(Path folder, Path config, Map<String, String> environment)
      throws IOException {
    Path log = Files.createTempFile(folder, "agent", ".log");
    List<String> command = new ArrayList<>();
    // signals that whoever started the tests ignores would stay ignored: nohup does that
    command.addAll(List.of("env", "--default-signal=HUP,INT,TERM"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx200m"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp"));
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add("dev.cowbell.agent.cli.Main");
    command.addAll(List.of("agent", "--config", config.toString(), "--log-format", "json"));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(log.toFile());
    builder.environment().putAll(environment);
    return new AgentProcess(builder.start(), log);
  }

  /** The lines of the log so far that are JSON. */
  List<JsonNode> log() throws IOException {
    return Files.readAllLines(log).stream()
        .filter(line -> line.startsWith("{") && line.endsWith("}"))
        .map(QemuImg::json)
        .toList();
  }

  /** How often the log says something so far. */
  long said(String message) throws IOException {
    return log().stream().filter(says(message)).count();
  }

  private static Predicate<JsonNode> says(String message) {
    return line -> line.path("formattedMessage").asText().contains(message);
  }

  void awaitSaid(String message, long times) throws Exception {
    await(message, () -> said(message) >= times);
  }

  void await(String what, Callable<Boolean> condition) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.call()) {
      if (System.nanoTime() > deadline || !process.isAlive()) {
        throw new AssertionError(
            "%s: not after %s, agent %s%n%s"
                .formatted(
                    what,
                    PATIENCE,
                    process.isAlive() ? "runs" : "ended with " + process.exitValue(),
                    Files.readString(log)));
      }
      Thread.sleep(100);
    }
  }

  void signal(String name) throws Exception {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
  }

  /** Kills it with nothing said, and waits until it is gone. */
  void kill() throws InterruptedException {
    if (!process.destroyForcibly().waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
      throw new AssertionError("the agent can't be killed");
    }
  }

  /** Waits for the process to end by itself. */
  int exit() throws Exception {
    if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
      throw new AssertionError("the agent does not end: " + Files.readString(log));
    }
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
