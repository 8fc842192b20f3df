package dev.cowbell.agent.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.schedule.ForeseenRuns;
import dev.cowbell.agent.status.Calendar;
import dev.cowbell.agent.status.Health;
import dev.cowbell.agent.status.VmView;
import dev.cowbell.agent.status.Words;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Collection;
import java.util.List;
import java.util.Locale;

/** The status of VMs, jobs and the agent as lines of a terminal. */
final class StatusText {

  private static final int WEEKS = 6;
  private static final int NEXT_RUNS = 3;
  private static final int RECENT = 10;
  private static final String ROW = "%-20s %-6s %-12s %6s %9s %6s  %s%n";
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm", Locale.ROOT);

  private final PrintStream out;
  private final Instant now;
  private final ZoneId zone;

  StatusText(PrintStream out, Instant now, ZoneId zone) {
    this.out = out;
    this.now = now;
    this.zone = zone;
  }

  void vms(List<VmView> views, Collection<Configuration.Job> jobs) {
    String repository = "";
    for (VmView view : views) {
      if (!view.repository().equals(repository)) {
        repository = view.repository();
        out.println("Repository " + OneLine.of(repository));
        out.printf(ROW, "VM", "HEALTH", "NEWEST", "POINTS", "STORED", "CHAIN", "LAST WEEKS");
      }
      out.printf(
          ROW,
          view.vm(),
          Health.of(view, jobs, now).word(),
          view.newest().map(newest -> age(newest.time()) + " ago").orElse("never"),
          view.points().size(),
          Words.bytes(view.storedBytes()),
          view.newest()
              .map(newest -> newest.chain().isPresent() ? "" + newest.chain().getAsInt() : "broken")
              .orElse("-"),
          calendar(view));
      view.problem().ifPresent(problem -> out.println("  " + OneLine.of(problem)));
      if (view.unreadable() > 0) {
        out.println("  " + view.unreadable() + " unreadable: cowbell verify says which");
      }
    }
    if (views.isEmpty()) {
      out.println("no VMs");
    } else {
      out.println("Days: . no point, + up to 3, * more, F with a full; weeks begin on Monday");
    }
  }

  private String calendar(VmView view) {
    StringBuilder line = new StringBuilder();
    int week = 0;
    for (Calendar.Day day : Calendar.of(view.points(), now, zone, WEEKS).days()) {
      if (day.week() != week) {
        line.append(' ');
        week = day.week();
      }
      line.append(
          switch (day.level()) {
            case "none" -> '.';
            case "some" -> '+';
            case "many" -> '*';
            default -> 'F';
          });
    }
    return line.toString();
  }

  void jobs(Configuration configuration) {
    out.println();
    out.println("Jobs");
    for (Configuration.Job job : configuration.jobs().values()) {
      List<String> next =
          ForeseenRuns.of(job.spec(), now, NEXT_RUNS).stream()
              .map(due -> TIME.format(due.atZone(job.spec().timing().zone())))
              .toList();
      out.printf(
          "  %-20s %s, next: %s%n",
          job.spec().name(),
          job.spec().timing().shown(),
          next.isEmpty() ? "never" : String.join(", ", next));
    }
  }

  void agent(JsonNode agent) {
    out.println();
    out.println(
        "Agent " + text(agent, "agent") + (agent.path("running").isEmpty() ? ": idle" : ""));
    for (JsonNode run : agent.path("running")) {
      int percent = run.path("percent").asInt(-1);
      out.printf(
          "  runs  %s of %s: %s%s%n",
          text(run, "job"),
          text(run, "vm"),
          text(run, "what"),
          percent < 0 ? "" : " " + percent + " %");
    }
    int shown = 0;
    for (JsonNode run : agent.path("ended")) {
      if (shown++ == RECENT) {
        break;
      }
      out.printf(
          "  %-7s %s of %s, %s, %.0f s%s%n",
          text(run, "outcome"),
          text(run, "job"),
          text(run, "vm"),
          text(run, "started"),
          run.path("seconds").asDouble(),
          text(run, "detail").isEmpty() ? "" : ": " + text(run, "detail"));
    }
  }

  private static String text(JsonNode node, String field) {
    return OneLine.of(node.path(field).asText(""));
  }

  private String age(Instant then) {
    return Words.duration(Duration.between(then, now));
  }
}
