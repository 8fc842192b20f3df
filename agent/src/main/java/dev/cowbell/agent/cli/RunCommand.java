package dev.cowbell.agent.cli;

import dev.cowbell.agent.config.ConfigException;
import dev.cowbell.agent.config.ConfigFile;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.status.AgentClient;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cowbell run}. */
@Command(
    name = "run",
    description = {
      "Asks the running agent to run a job for all its VMs now, and does not wait for it.",
      "Without a running agent: cowbell agent --config FILE --once JOB."
    })
final class RunCommand extends CowbellCommand {

  @Parameters(paramLabel = "JOB", description = "The job's name.")
  private String name = "";

  @Option(
      names = "--config",
      paramLabel = "FILE",
      required = true,
      description = "The agent's configuration, which says where it listens.")
  private Path file = Path.of("");

  @Override
  protected ExitCode run() throws Exception {
    Configuration configuration;
    try {
      configuration = ConfigFile.load(file);
    } catch (ConfigException e) {
      e.problems().forEach(p -> console().err().println(OneLine.of(p.line(e.file()))));
      return ExitCode.FAILED;
    }
    JobName job =
        configuration.jobs().keySet().stream()
            .filter(known -> known.value().equals(name))
            .findFirst()
            .orElseThrow(() ->
                CommandFailedException.because(
                    ExitCode.NOT_FOUND, "no job is named %s in %s".formatted(name, file)));
    AgentClient agent =
        new AgentClient(
            configuration
                .agent()
                .status()
                .orElseThrow(() ->
                    CommandFailedException.because(
                            ExitCode.FAILED, file + " gives the agent no status address")
                        .hint("add status: \"127.0.0.1:9180\" under agent:")));
    if (!agent.run(job)) {
      throw CommandFailedException.because(
              ExitCode.NOT_FOUND, "the running agent knows no job " + job)
          .hint("SIGHUP lets it read its file again");
    }
    console().out().println("started " + job);
    return ExitCode.DONE;
  }
}
