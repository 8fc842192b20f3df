package dev.cowbell.agent.schedule;

import org.quartz.DisallowConcurrentExecution;
import org.quartz.Job;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.SchedulerException;

/** A VM's turn, as Quartz sees it: one at a time, whichever job asks for it. */
@DisallowConcurrentExecution
final class VmJob implements Job {

  private final Dispatcher dispatcher;

  VmJob(Dispatcher dispatcher) {
    this.dispatcher = dispatcher;
  }

  @Override
  public void execute(JobExecutionContext fired) throws JobExecutionException {
    try {
      dispatcher.onFired(fired);
    } catch (SchedulerException e) {
      throw new JobExecutionException(e);
    }
  }
}
