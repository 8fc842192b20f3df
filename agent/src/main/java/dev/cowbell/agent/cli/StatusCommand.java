package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.agent.config.ConfigException;
import dev.cowbell.agent.config.ConfigFile;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.status.AgentClient;
import dev.cowbell.agent.status.Health;
import dev.cowbell.agent.status.RepositoryWatch;
import dev.cowbell.agent.status.StatusJson;
import dev.cowbell.agent.status.VmView;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code cowbell status}. */
@Command(
    name = "status",
    description = {
      "Shows how each VM is backed up: age, count and size of its points, and the last weeks.",
      "With --config also the jobs, and what the running agent does. Ends with 3 when a VM is"
          + " late or in trouble."
    })
final class StatusCommand extends CowbellCommand {

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "The agent's configuration; with --repo, only that repository is shown.")
  private @Nullable Path file;

  /** What was found out. */
  private record Found(
      Instant at,
      Optional<Configuration> configuration,
      List<VmView> vms,
      Optional<JsonNode> agent) {

    Collection<Configuration.Job> jobs() {
      return configuration.map(known -> known.jobs().values()).orElse(List.of());
    }

    ZoneId zone() {
      return configuration.map(known -> known.agent().zone()).orElse(ZoneOffset.UTC);
    }
  }

  @Override
  protected ExitCode run() throws Exception {
    Optional<Configuration> configuration = Optional.empty();
    if (file != null) {
      try {
        configuration = Optional.of(ConfigFile.load(file));
      } catch (ConfigException e) {
        e.problems().forEach(p -> console().err().println(OneLine.of(p.line(e.file()))));
        return ExitCode.FAILED;
      }
    }
    Found found =
        new Found(
            console().clock().instant(), configuration, views(configuration), agent(configuration));
    if (output.isJson()) {
      JsonOutput.print(console().out(), json -> write(json, found));
    } else {
      print(found);
    }
    boolean well =
        found.vms().stream()
            .allMatch(view -> Health.of(view, found.jobs(), found.at()) == Health.GOOD);
    return well ? ExitCode.DONE : ExitCode.WARNINGS;
  }

  private List<VmView> views(Optional<Configuration> configuration) throws Exception {
    if (configuration.isPresent()) {
      Configuration known = configuration.get();
      List<VmView> all;
      try (RepositoryWatch watch = new RepositoryWatch(() -> known, console().clock())) {
        all = watch.readNow();
      }
      if (!repository.isGiven()) {
        return all;
      }
      String only = repository.text(console());
      return all.stream().filter(view -> view.repository().equals(only)).toList();
    }
    List<VmView> views = new ArrayList<>();
    try (Repository open = repository.openForReading(console())) {
      for (VmName vm : open.vms()) {
        views.add(VmView.read(open, vm, repository.text(console()), console().clock().instant()));
      }
    }
    return views;
  }

  private Optional<JsonNode> agent(Optional<Configuration> configuration)
      throws InterruptedException {
    if (configuration.isEmpty() || configuration.get().agent().status().isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(new AgentClient(configuration.get().agent().status().get()).status());
    } catch (IOException e) {
      console().err().println("cowbell status: " + OneLine.of(String.valueOf(e.getMessage())));
      return Optional.empty();
    }
  }

  private void print(Found found) {
    StatusText text = new StatusText(console().out(), found.at(), found.zone());
    text.vms(found.vms(), found.jobs());
    found.configuration().ifPresent(text::jobs);
    found.agent().ifPresent(text::agent);
  }

  private static void write(JsonGenerator json, Found found) throws IOException {
    json.writeStartObject();
    json.writeStringField("time", found.at().toString());
    StatusJson.writeVms(json, found.vms(), found.jobs(), found.at());
    if (found.configuration().isPresent()) {
      StatusJson.writeJobs(json, found.configuration().get(), found.at());
    }
    if (found.agent().isPresent()) {
      for (String field : List.of("agent", "version", "running", "ended")) {
        json.writeFieldName(field);
        json.writeRawValue(found.agent().get().path(field).toString());
      }
    }
    json.writeEndObject();
  }
}
