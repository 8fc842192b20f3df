package dev.cowbell.agent.config;

import dev.cowbell.agent.config.Configuration.JobStore;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;

/** The format of the file's section about the agent itself. */
final class AgentFormat {

  private static final Key<String> SECRET_ENV =
      Key.optional(
          "env",
          Terms.named(
              "^[A-Za-z_][A-Za-z0-9_]*$", "must be the name of an environment variable", s -> s),
          "The environment variable that holds the secret.");
  private static final Key<Path> SECRET_FILE =
      Key.optional("file", Terms.ABSOLUTE_PATH, "The file whose first line is the secret.");
  static final Section<Secret> SECRET =
      new Section<>(
          List.of(SECRET_ENV, SECRET_FILE),
          List.of(SECRET_ENV, SECRET_FILE),
          fields ->
              fields
                  .at(SECRET_ENV)
                  .<Secret>map(Secret.InEnvironment::new)
                  .orElseGet(() -> new Secret.InFile(fields.of(SECRET_FILE))));

  private static final Key<String> STORE_TYPE =
      Key.required(
          "type",
          Shapes.choice(Map.of("memory", "memory", "postgresql", "postgresql")),
          "memory: for one agent alone. postgresql: outlives the agent, and several can share it.");
  private static final Key<String> STORE_URL =
      Key.optional(
          "url",
          Shapes.text("^jdbc:postgresql:", AgentFormat::databaseUrl),
          "The database, such as jdbc:postgresql://db.example.org/cowbell.");
  private static final Key<String> STORE_USER =
      Key.optional("user", Shapes.text("", s -> s), "The database user.");
  private static final Key<Secret> STORE_PASSWORD =
      Key.optional("password", SECRET, "Where the database password is kept.");
  private static final Key<String> STORE_CLUSTER =
      Key.optional(
          "cluster",
          Terms.named(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, s -> s),
          "Agents with the same cluster name and database share their jobs; cowbell by default.");
  private static final Section<JobStore> JOB_STORE =
      Section.of(
          List.of(STORE_TYPE, STORE_URL, STORE_USER, STORE_PASSWORD, STORE_CLUSTER),
          AgentFormat::jobStore);

  private static final Key<String> AGENT_NAME =
      Key.optional(
          "name",
          Terms.named(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, s -> s),
          "Names this agent in logs and in the job store; the host's name by default.");
  private static final Key<ZoneId> AGENT_ZONE =
      Key.optional(
          "time-zone",
          Terms.ZONE,
          "The zone of all times without one of their own; UTC by default.");
  private static final Key<Integer> AGENT_CONCURRENCY =
      Key.optional(
          "concurrency", Terms.CONCURRENCY, "How many VMs are backed up at once; 2 by default.");
  private static final Key<Long> AGENT_BANDWIDTH =
      Key.optional(
          "bandwidth",
          Terms.RATE,
          "The most bytes per second that all runs together send, such as 100M.");
  private static final Key<Duration> AGENT_STOP_WITHIN =
      Key.optional(
          "stop-within",
          Terms.duration(Duration.ZERO, Terms.DAY),
          "How long running jobs may take to finish when the agent stops; 5m by default.");
  private static final Key<JobStore> AGENT_JOB_STORE =
      Key.optional("job-store", JOB_STORE, "Where the schedule is kept; in memory by default.");
  private static final Key<InetSocketAddress> AGENT_STATUS =
      Key.optional(
          "status",
          Shapes.text(Terms.LOOPBACK_PATTERN, Terms::loopback),
          "Serves the status page, metrics and health here, such as 127.0.0.1:9180; nowhere by default.");
  static final Section<Configuration.Agent> AGENT =
      Section.of(
          List.of(
              AGENT_NAME,
              AGENT_ZONE,
              AGENT_CONCURRENCY,
              AGENT_BANDWIDTH,
              AGENT_STOP_WITHIN,
              AGENT_JOB_STORE,
              AGENT_STATUS),
          fields ->
              new Configuration.Agent(
                  fields.at(AGENT_NAME),
                  fields.at(AGENT_ZONE).orElse(ZoneId.of("UTC")),
                  fields.at(AGENT_CONCURRENCY).orElse(2),
                  Terms.rate(fields, AGENT_BANDWIDTH),
                  fields.at(AGENT_STOP_WITHIN).orElse(Duration.ofMinutes(5)),
                  fields.at(AGENT_JOB_STORE).orElseGet(JobStore.Memory::new),
                  fields.at(AGENT_STATUS)));

  /** The agent's settings where the file gives none. */
  static Configuration.Agent defaultAgent() {
    return AGENT.make().apply(new Fields(Map.of()));
  }

  private AgentFormat() {}

  private static JobStore jobStore(Fields fields) {
    boolean memory = fields.of(STORE_TYPE).equals("memory");
    for (Key<?> key : List.of(STORE_URL, STORE_USER, STORE_PASSWORD, STORE_CLUSTER)) {
      if (memory && fields.at(key).isPresent()) {
        throw new IllegalArgumentException(
            "the key \"" + key.name() + "\" is for type postgresql only");
      }
    }
    if (memory) {
      return new JobStore.Memory();
    }
    for (Key<?> key : List.of(STORE_URL, STORE_USER)) {
      if (fields.at(key).isEmpty()) {
        throw new IllegalArgumentException(
            "the key \"" + key.name() + "\" is missing, which type postgresql needs");
      }
    }
    return new JobStore.Postgresql(
        fields.of(STORE_URL),
        fields.of(STORE_USER),
        fields.at(STORE_PASSWORD),
        fields.at(STORE_CLUSTER).orElse("cowbell"));
  }

  private static String databaseUrl(String text) {
    if (!text.startsWith("jdbc:postgresql:") || text.length() > 2000) {
      throw new IllegalArgumentException("must be jdbc:postgresql://host:port/database");
    }
    if (text.contains("password=")) {
      throw new IllegalArgumentException(
          "must not hold the password: give it by reference under the key \"password\"");
    }
    return text;
  }
}
