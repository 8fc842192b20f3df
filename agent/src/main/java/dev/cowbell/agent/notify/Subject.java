package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.RepositoryUrl;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;

/** Something that is well or not, and of which people are told when that changes. */
sealed interface Subject {

  /** The repository it is about. */
  String repository();

  VmName vm();

  /** What tells it from the VM's other subjects: a name that no other kind of subject can have. */
  String name();

  /** A job's runs for a VM. */
  record Runs(String repository, VmName vm, JobName job) implements Subject {
    Runs(RepositoryUrl repository, VmName vm, JobName job) {
      this(repository.text(), vm, job);
    }

    @Override
    public String name() {
      return "runs." + job;
    }
  }

  /** The age of a VM's newest good point, as one channel sees it. */
  record Age(String repository, VmName vm, String channel) implements Subject {
    @Override
    public String name() {
      return "age." + channel;
    }
  }
}
