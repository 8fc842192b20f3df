package dev.cowbell.it.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.JobScheduler;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Two agents as processes of their own, sharing the schedule in a real PostgreSQL. */
final class SchedulerClusterIT {

  private static final String NEVER_BY_ITSELF = "0 0 29 2 *";

  private static PostgresServer postgres;
  private final Map<String, Process> nodes = new HashMap<>();

  @BeforeAll
  static void start() throws Exception {
    postgres = PostgresServer.start();
    try (Connection db = postgres.connect();
        Statement statement = db.createStatement()) {
      statement.execute(
          "CREATE TABLE runs (id bigserial PRIMARY KEY, cluster text, node text, vm text, job text,"
              + " due timestamptz, reason text, alone boolean,"
              + " started timestamptz DEFAULT clock_timestamp(), finished timestamptz)");
    }
  }

  @AfterAll
  static void stop() throws Exception {
    postgres.stop();
  }

  @AfterEach
  void stopNodes() {
    nodes.values().forEach(Process::destroyForcibly);
  }

  /**
   * Two jobs of 24 VMs are asked for at once; one of two agents dies while it works on some of
   * them.
   */
  @Test
  void what_a_killed_agent_had_begun_is_begun_again_and_nothing_runs_twice_at_once()
      throws Exception {
    int vms = 24;
    SchedulerNode.Settings a = settings("requests", "a", NEVER_BY_ITSELF, vms, 1000);
    start(a);
    start(settings("requests", "b", NEVER_BY_ITSELF, vms, 1000));
    awaitBoth("requests");
    JobScheduler asking = a.open();
    asking.apply(a.jobs());
    for (JobName job : SchedulerNode.JOBS) {
      asking.runNow(job);
    }
    String killed = killOneThatIsBusy("requests");
    long cutShort = count("node = '" + killed + "' AND finished IS NULL AND cluster = 'requests'");
    assertThat(cutShort).isPositive();
    await(120, () -> count("cluster = 'requests' AND finished IS NOT NULL") >= 2L * vms);
    asking.stop(Duration.ofSeconds(5));

    assertThat(overlaps("requests")).isZero();
    assertThat(
            number(
                "SELECT count(DISTINCT (vm, job)) FROM runs WHERE cluster = 'requests'"
                    + " AND finished IS NOT NULL"))
        .as("runs done")
        .isEqualTo(2L * vms);
    assertThat(count("cluster = 'requests' AND reason = 'RECOVERED' AND node <> '" + killed + "'"))
        .as("begun again")
        .isGreaterThanOrEqualTo(cutShort);
    assertThat(
            number(
                "SELECT count(*) FROM (SELECT vm, job FROM runs WHERE cluster = 'requests'"
                    + " AND finished IS NOT NULL AND reason <> 'RECOVERED'"
                    + " GROUP BY vm, job HAVING count(*) > 1) AS twice"))
        .as("done twice")
        .isZero();
  }

  /** Two jobs of three VMs are due every four seconds; one of two agents dies. */
  @Test
  void every_due_time_is_covered_by_a_run_that_began_after_it_although_an_agent_dies()
      throws Exception {
    int vms = 3;
    String often = "0/4 * * * * ?";
    start(settings("regular", "a", often, vms, 1000));
    start(settings("regular", "b", often, vms, 1000));
    awaitBoth("regular");
    await(60, () -> count("cluster = 'regular' AND finished IS NOT NULL") > 12);
    String killed = killOneThatIsBusy("regular");
    long then = number("SELECT extract(epoch FROM clock_timestamp())");
    String afterwards = "cluster = 'regular' AND started > to_timestamp(" + (then + 20) + ")";
    await(
        60,
        () ->
            number(
                    "SELECT count(DISTINCT (vm, job)) FROM runs WHERE finished IS NOT NULL AND "
                        + afterwards)
                == 2L * vms);

    assertThat(overlaps("regular")).isZero();
    assertThat(
            number(
                "SELECT count(*) FROM (SELECT vm, job, due FROM runs WHERE cluster = 'regular'"
                    + " AND reason = 'SCHEDULED' AND finished IS NOT NULL"
                    + " GROUP BY vm, job, due HAVING count(*) > 1) AS twice"))
        .as("due times that ran twice")
        .isZero();
    assertThat(
            number(
                "SELECT count(*) FROM runs AS cut WHERE cut.cluster = 'regular'"
                    + " AND cut.node = '"
                    + killed
                    + "' AND cut.finished IS NULL AND NOT EXISTS"
                    + " (SELECT 1 FROM runs AS again WHERE again.cluster = 'regular'"
                    + " AND again.vm = cut.vm AND again.job = cut.job AND again.started > cut.started"
                    + " AND again.finished IS NOT NULL)"))
        .as("runs cut short and never begun again")
        .isZero();
    assertThat(longestGapSeconds()).as("longest time between two runs of a VM").isLessThan(25);
  }

  /** Runs of one VM that went on at once, by the locks they held and by the times they noted. */
  private static long overlaps(String cluster) throws SQLException {
    String of = "cluster = '" + cluster + "'";
    return count("NOT alone AND " + of)
        + number(
            "SELECT count(*) FROM runs AS one JOIN runs AS other USING (cluster, vm) WHERE "
                + of
                + " AND one.id <> other.id AND one.started <= other.started"
                + " AND other.started < one.finished");
  }

  private static long longestGapSeconds() throws SQLException {
    return number(
        "SELECT max(gap) FROM (SELECT extract(epoch FROM started - lag(started)"
            + " OVER (PARTITION BY vm, job ORDER BY started)) AS gap FROM runs"
            + " WHERE cluster = 'regular' AND finished IS NOT NULL) AS gaps");
  }

  private static SchedulerNode.Settings settings(
      String cluster, String node, String cron, int vms, int runMillis) {
    return new SchedulerNode.Settings(postgres.url(), cluster, node, cron, vms, runMillis);
  }

  private void start(SchedulerNode.Settings settings) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx200m", "-cp"));
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(SchedulerNode.class.getName());
    command.addAll(settings.words());
    Process node =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    nodes.put(settings.node(), node);
  }

  private static void awaitBoth(String cluster) throws Exception {
    await(
        60,
        () ->
            number("SELECT count(to_regclass('qrtz_scheduler_state'))") == 1
                && number(
                        "SELECT count(*) FROM qrtz_scheduler_state WHERE sched_name = '"
                            + cluster
                            + "'")
                    == 2);
  }

  /** Kills an agent while it runs something, and says which. */
  private String killOneThatIsBusy(String cluster) throws Exception {
    String unfinished = "cluster = '" + cluster + "' AND finished IS NULL";
    await(60, () -> count(unfinished) > 0);
    String busy = text("SELECT node FROM runs WHERE " + unfinished + " ORDER BY id DESC LIMIT 1");
    Process node = nodes.get(busy);
    assertThat(node).as(busy).isNotNull();
    node.destroyForcibly(); // SIGKILL
    assertThat(node.waitFor(30, TimeUnit.SECONDS)).isTrue();
    return busy;
  }

  private static long count(String where) throws SQLException {
    return number("SELECT count(*) FROM runs WHERE " + where);
  }

  private static long number(String query) throws SQLException {
    try (Connection db = postgres.connect();
        Statement statement = db.createStatement();
        ResultSet result = statement.executeQuery(query)) {
      assertThat(result.next()).isTrue();
      return result.getLong(1);
    }
  }

  /** What the database knows, for the message of a failure. */
  private static String situation() throws SQLException {
    return text(
            "SELECT string_agg(concat_ws(' ', cluster, node, vm, job, due::time, reason,"
                + " started::time, finished::time, alone), E'\\n' ORDER BY id) FROM"
                + " (SELECT * FROM runs ORDER BY id DESC LIMIT 60) AS newest")
        + "\n"
        + text(
            "SELECT string_agg(concat_ws(' ', sched_name, trigger_name, trigger_group,"
                + " trigger_state, to_timestamp(next_fire_time / 1000)::time), E'\\n')"
                + " FROM qrtz_triggers WHERE sched_name = 'regular'")
        + "\n"
        + text(
            "SELECT string_agg(concat_ws(' ', instance_name, trigger_name, state, job_name,"
                + " to_timestamp(fired_time / 1000)::time), E'\\n') FROM qrtz_fired_triggers");
  }

  private static String text(String query) throws SQLException {
    try (Connection db = postgres.connect();
        Statement statement = db.createStatement();
        ResultSet result = statement.executeQuery(query)) {
      return result.next() ? String.valueOf(result.getString(1)) : "";
    }
  }

  private interface Condition {
    boolean holds() throws SQLException;
  }

  private static void await(int seconds, Condition condition) throws Exception {
    for (int i = 0; i < seconds * 10; i++) {
      if (condition.holds()) {
        return;
      }
      Thread.sleep(Duration.ofMillis(100));
    }
    assertThat(condition.holds()).as("within %d s; %s", seconds, situation()).isTrue();
  }
}
