package dev.cowbell.agent.status;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.ForeseenRuns;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Collection;
import java.util.List;

/** The same facts for machines: {@code /status.json}. */
public final class StatusJson {

  private static final JsonFactory FACTORY = new JsonFactory();
  private static final int NEXT_RUNS = 3;

  private StatusJson() {}

  static String of(Snapshot now) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      json.writeStartObject();
      json.writeStringField("agent", now.agent());
      json.writeStringField("version", now.version());
      json.writeStringField("time", now.at().toString());
      writeRunning(json, now);
      writeJobs(json, now.configuration(), now.at());
      writeVms(json, now.vms(), now.configuration().jobs().values(), now.at());
      writeEnded(json, now);
      json.writeEndObject();
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  private static void writeRunning(JsonGenerator json, Snapshot now) throws IOException {
    json.writeArrayFieldStart("running");
    for (RunBoard.Running run : now.running()) {
      json.writeStartObject();
      json.writeStringField("job", run.request().job().value());
      json.writeStringField("vm", run.request().vm().value());
      json.writeStringField("reason", RunMetrics.lower(run.request().reason()));
      json.writeNumberField("attempt", run.request().attempt());
      json.writeStringField("started", run.started().toString());
      json.writeStringField("what", run.what());
      json.writeNumberField("percent", run.percent());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  /** Writes the field {@code jobs}. */
  public static void writeJobs(JsonGenerator json, Configuration configuration, Instant now)
      throws IOException {
    json.writeArrayFieldStart("jobs");
    for (Configuration.Job job : configuration.jobs().values()) {
      json.writeStartObject();
      json.writeStringField("name", job.spec().name().value());
      json.writeStringField("schedule", job.spec().timing().text());
      json.writeStringField("repository", job.repository().text());
      json.writeArrayFieldStart("vms");
      for (VmName vm : job.spec().vms()) {
        json.writeString(vm.value());
      }
      json.writeEndArray();
      json.writeArrayFieldStart("nextRuns");
      for (Instant due : ForeseenRuns.of(job.spec(), now, NEXT_RUNS)) {
        json.writeString(due.toString());
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  /** Writes the field {@code vms}. */
  public static void writeVms(
      JsonGenerator json, List<VmView> vms, Collection<Configuration.Job> jobs, Instant now)
      throws IOException {
    json.writeArrayFieldStart("vms");
    for (VmView vm : vms) {
      json.writeStartObject();
      json.writeStringField("vm", vm.vm().value());
      json.writeStringField("repository", vm.repository());
      json.writeStringField("health", Health.of(vm, jobs, now).word());
      json.writeNumberField("points", vm.points().size());
      json.writeNumberField("unreadable", vm.unreadable());
      json.writeNumberField("storedBytes", vm.storedBytes());
      json.writeStringField("seen", vm.seen().toString());
      if (vm.newest().isPresent()) {
        PointView newest = vm.newest().get();
        json.writeStringField("newestPoint", newest.id().value());
        json.writeStringField("newestTime", newest.time().toString());
        if (newest.chain().isPresent()) {
          json.writeNumberField("chain", newest.chain().getAsInt());
        }
      }
      if (vm.problem().isPresent()) {
        json.writeStringField("problem", vm.problem().get());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void writeEnded(JsonGenerator json, Snapshot now) throws IOException {
    json.writeArrayFieldStart("ended");
    for (RunView run : now.ended()) {
      json.writeStartObject();
      json.writeStringField("job", run.request().job().value());
      json.writeStringField("vm", run.request().vm().value());
      json.writeStringField("started", run.started().toString());
      json.writeNumberField("seconds", run.took().toMillis() / 1000.0);
      json.writeStringField("outcome", RunMetrics.lower(run.outcome()));
      json.writeStringField("detail", run.detail());
      if (run.point().isPresent()) {
        json.writeStringField("point", run.point().get().value());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
