package dev.cowbell.agent.cli;

import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.Repository.Initialised;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.StoreProbe;
import dev.cowbell.storage.StoreProbe.Finding;
import java.io.PrintStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code cowbell init}. */
@Command(
    name = "init",
    description = "Creates a repository and says what its target can do; harmless where one is.")
final class InitCommand extends CowbellCommand {

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Override
  protected ExitCode run() throws Exception {
    try (ObjectStore store = repository.createStore(console())) {
      StoreProbe probe = store.probe();
      Initialised done = Repository.init(store, console().clock());
      if (output.isJson()) {
        printJson(store, done, probe);
      } else {
        print(store, done, probe);
      }
    }
    return ExitCode.DONE;
  }

  private void print(ObjectStore store, Initialised done, StoreProbe probe) {
    PrintStream out = console().out();
    out.printf(
        "%s repository %s at %s%n",
        done.created() ? "Created" : "There is already a", done.descriptor().id(), store.url());
    for (Finding finding : probe.findings()) {
      out.println("  " + finding);
    }
  }

  private void printJson(ObjectStore store, Initialised done, StoreProbe probe) throws Exception {
    JsonOutput.print(
        console().out(),
        json -> {
          json.writeStartObject();
          json.writeStringField("url", store.url());
          json.writeStringField("repository", done.descriptor().id().toString());
          json.writeBooleanField("created", done.created());
          json.writeStringField("since", done.descriptor().created().toString());
          json.writeBooleanField("conditionalPut", probe.capabilities().conditionalPut());
          json.writeBooleanField("rangeCopy", probe.capabilities().rangeCopy());
          json.writeArrayFieldStart("findings");
          for (Finding finding : probe.findings()) {
            json.writeStartObject();
            json.writeStringField("feature", finding.feature());
            json.writeBooleanField("works", finding.works());
            json.writeStringField("detail", finding.detail());
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeEndObject();
        });
  }
}
