package dev.cowbell.agent.cli;

import dev.cowbell.agent.repository.LeaseTerms;
import dev.cowbell.agent.repository.Leases;
import dev.cowbell.agent.repository.Leases.Shown;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.source.HostName;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code cowbell unlock}. */
@Command(
    name = "unlock",
    description = "Shows who writes to a VM's points; --force takes the lease away from them.")
final class UnlockCommand extends CowbellCommand {

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(names = "--vm", paramLabel = "NAME", required = true, description = "Whose lease.")
  private String vm = "";

  @Option(
      names = "--force",
      description = "Break the lease, though its owner may be alive: what it does then fails.")
  private boolean force;

  @Override
  protected ExitCode run() throws Exception {
    try (Repository open = repository.open(console())) {
      Leases leases = new Leases(open, new LeaseTerms(console().clock(), HostName.current()));
      Optional<Shown> holder =
          force ? leases.breakLease(Arguments.vm(vm)) : leases.holder(Arguments.vm(vm));
      print(holder);
      return holder.isPresent() && !force ? ExitCode.LOCKED : ExitCode.DONE;
    }
  }

  private void print(Optional<Shown> holder) throws Exception {
    if (output.isJson()) {
      JsonOutput.print(
          console().out(),
          json -> {
            json.writeStartObject();
            json.writeStringField("vm", vm);
            json.writeBooleanField("held", holder.isPresent() && !force);
            json.writeBooleanField("broken", holder.isPresent() && force);
            if (holder.isPresent()) {
              json.writeStringField("by", holder.get().by());
              json.writeStringField("operation", holder.get().operation());
              json.writeStringField("since", holder.get().since().toString());
              json.writeStringField("renewed", holder.get().renewed().toString());
            }
            json.writeEndObject();
          });
      return;
    }
    console()
        .out()
        .println(
            holder
                .map(h ->
                    "%s %s: %s since %s, last seen %s"
                        .formatted(
                            force ? "Broke the lease of" : "VM " + vm + " is being written to by",
                            h.by(),
                            h.operation(),
                            h.since(),
                            h.renewed()))
                .orElse("Nobody holds the lease of VM " + vm + "."));
  }
}
