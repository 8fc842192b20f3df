package dev.cowbell.it.schedule;

import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.AllowedWindows;
import dev.cowbell.agent.schedule.CronTiming;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.JobScheduler;
import dev.cowbell.agent.schedule.JobSpec;
import dev.cowbell.agent.schedule.JobStore;
import dev.cowbell.agent.schedule.MisfirePolicy;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.RunHistory;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import dev.cowbell.agent.schedule.SchedulerOptions;
import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.List;
import java.util.stream.IntStream;

/**
 * An agent's scheduler in a process of its own, for tests that kill it. Its runs take a while and
 * leave a row in the table {@code runs}. That no other run of the same VM goes on is seen
 * independently of the scheduler: by a lock that the database lets go when the process dies.
 */
final class SchedulerNode {

  /** Two jobs for the same VMs, due at the same times: their runs must not overlap. */
  static final List<JobName> JOBS = List.of(new JobName("one"), new JobName("other"));

  private SchedulerNode() {}

  /** What a node is told on its command line, in this order. */
  record Settings(String url, String cluster, String node, String cron, int vms, int runMillis) {

    static Settings of(String[] words) {
      return new Settings(
          words[0],
          words[1],
          words[2],
          words[3],
          Integer.parseInt(words[4]),
          Integer.parseInt(words[5]));
    }

    List<String> words() {
      return List.of(url, cluster, node, cron, Integer.toString(vms), Integer.toString(runMillis));
    }

    List<JobSpec> jobs() {
      return JOBS.stream().map(this::job).toList();
    }

    private JobSpec job(JobName name) {
      return new JobSpec(
          name,
          IntStream.range(0, vms).mapToObj(i -> new VmName("vm" + i)).toList(),
          CronTiming.parse(cron, ZoneOffset.UTC),
          Duration.ZERO,
          MisfirePolicy.RUN_ONCE,
          AllowedWindows.always(ZoneOffset.UTC),
          RetryPolicy.DEFAULT,
          100);
    }

    JobScheduler open() throws IOException {
      return JobScheduler.open(
          new SchedulerOptions(
              cluster,
              node,
              3,
              new JobStore.Postgresql(url, "cowbell", () -> ""),
              new SchedulerOptions.Pace(
                  Duration.ofSeconds(2), Duration.ofSeconds(1), Duration.ofMillis(500))),
          (request, _) -> run(request),
          RunHistory.NONE,
          ScheduleEvent.Listener.NONE,
          Clock.systemUTC());
    }

    private RunOutcome run(RunRequest request) throws SQLException, InterruptedException {
      try (Connection db = DriverManager.getConnection(url, "cowbell", "")) {
        String lock = cluster + "/" + request.vm();
        boolean alone = ask(db, "SELECT pg_try_advisory_lock(hashtext(?))", lock);
        long id = begin(db, request, alone);
        Thread.sleep(Duration.ofMillis(runMillis));
        try (PreparedStatement end =
            db.prepareStatement("UPDATE runs SET finished = clock_timestamp() WHERE id = ?")) {
          end.setLong(1, id);
          end.executeUpdate();
        }
        // A closed connection lets go only when the server has noticed, which may be too late.
        ask(db, "SELECT pg_advisory_unlock(hashtext(?))", lock);
      }
      return new RunOutcome.Done();
    }

    private static boolean ask(Connection db, String question, String lock) throws SQLException {
      try (PreparedStatement statement = db.prepareStatement(question)) {
        statement.setString(1, lock);
        try (ResultSet result = statement.executeQuery()) {
          return result.next() && result.getBoolean(1);
        }
      }
    }

    private long begin(Connection db, RunRequest request, boolean alone) throws SQLException {
      try (PreparedStatement begin =
          db.prepareStatement(
              "INSERT INTO runs (cluster, node, vm, job, due, reason, alone)"
                  + " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id")) {
        begin.setString(1, cluster);
        begin.setString(2, node);
        begin.setString(3, request.vm().value());
        begin.setString(4, request.job().value());
        begin.setTimestamp(5, Timestamp.from(request.due()));
        begin.setString(6, request.reason().name());
        begin.setBoolean(7, alone);
        try (ResultSet result = begin.executeQuery()) {
          result.next();
          return result.getLong(1);
        }
      }
    }
  }

  public static void main(String[] words) throws Exception {
    Settings settings = Settings.of(words);
    JobScheduler scheduler = settings.open();
    scheduler.apply(settings.jobs());
    scheduler.start();
    int ended = System.in.read(); // until the test lets go
    scheduler.stop(Duration.ofSeconds(20));
    System.exit(ended < 0 ? 0 : 1);
  }
}
