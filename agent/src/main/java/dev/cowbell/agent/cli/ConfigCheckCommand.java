package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.config.ConfigException;
import dev.cowbell.agent.config.ConfigFile;
import dev.cowbell.agent.config.ConfigProblem;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.agent.schedule.ForeseenRuns;
import dev.cowbell.agent.schedule.IntervalTiming;
import dev.cowbell.agent.schedule.JobSpec;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code cowbell config check}. */
@Command(
    name = "check",
    description = "Checks a configuration file and prints its jobs and when they run next.")
final class ConfigCheckCommand extends CowbellCommand {

  private static final int RUNS = 5;
  private static final DateTimeFormatter LOCAL =
      DateTimeFormatter.ofPattern("EEE uuuu-MM-dd HH:mm:ss xxx", Locale.ROOT);

  @Parameters(paramLabel = "FILE", description = "The configuration file.")
  private Path file = Path.of("");

  @Mixin private OutputFormat output;

  @Override
  protected ExitCode run() throws Exception {
    Instant now = console().clock().instant();
    try {
      Configuration configuration = ConfigFile.load(file);
      if (output.isJson()) {
        JsonOutput.print(console().out(), json -> write(json, configuration, now));
      } else {
        print(configuration, now);
      }
      return ExitCode.DONE;
    } catch (ConfigException e) {
      if (output.isJson()) {
        JsonOutput.print(console().out(), json -> write(json, e));
      } else {
        e.problems().forEach(p -> console().err().println(OneLine.of(p.line(e.file()))));
      }
      return ExitCode.FAILED;
    }
  }

  private void print(Configuration configuration, Instant now) {
    PrintStream out = console().out();
    for (Configuration.Job job : configuration.jobs().values()) {
      JobSpec spec = job.spec();
      ZoneId zone = spec.timing().zone();
      out.println("Job " + spec.name());
      out.println("  schedule:   " + spec.timing().shown() + " in " + zone + jitter(spec));
      out.println(
          "  VMs:        "
              + spec.vms().stream().map(VmName::value).collect(Collectors.joining(", ")));
      out.println("  repository: " + job.repository());
      out.println(
          job.verification()
              .map(verification -> "  verifies:   " + verification)
              .orElseGet(() ->
                  "  keeps:      "
                      + job.retention().map(RetentionPolicy::toString).orElse("everything")));
      List<Instant> runs = ForeseenRuns.of(spec, now, RUNS);
      out.println(runs.isEmpty() ? "  next runs:  never" : "  next runs:");
      runs.forEach(run -> out.println("    " + LOCAL.format(run.atZone(zone))));
    }
  }

  private static String jitter(JobSpec spec) {
    return spec.jitter().isZero()
        ? ""
        : ", each VM up to " + IntervalTiming.shown(spec.jitter()) + " later";
  }

  private void write(JsonGenerator json, Configuration configuration, Instant now)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("file", file.toString());
    json.writeBooleanField("valid", true);
    json.writeArrayFieldStart("jobs");
    for (Configuration.Job job : configuration.jobs().values()) {
      JobSpec spec = job.spec();
      json.writeStartObject();
      json.writeStringField("name", spec.name().value());
      json.writeStringField("schedule", spec.timing().text());
      json.writeStringField("timeZone", spec.timing().zone().getId());
      json.writeNumberField("jitterSeconds", spec.jitter().toSeconds());
      json.writeArrayFieldStart("vms");
      for (VmName vm : spec.vms()) {
        json.writeString(vm.value());
      }
      json.writeEndArray();
      json.writeStringField("repository", job.repository().text());
      if (job.verification().isPresent()) {
        json.writeStringField("verifies", job.verification().get().toString());
      }
      json.writeStringField(
          "keeps", job.retention().map(RetentionPolicy::toString).orElse("everything"));
      json.writeArrayFieldStart("nextRuns");
      for (Instant run : ForeseenRuns.of(spec, now, RUNS)) {
        json.writeString(run.toString());
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, ConfigException invalid) throws IOException {
    json.writeStartObject();
    json.writeStringField("file", invalid.file());
    json.writeBooleanField("valid", false);
    json.writeArrayFieldStart("problems");
    for (ConfigProblem problem : invalid.problems()) {
      json.writeStartObject();
      json.writeNumberField("line", problem.at().line());
      json.writeNumberField("column", problem.at().column());
      json.writeStringField("path", problem.path());
      json.writeStringField("message", problem.message());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }
}
