package dev.cowbell.agent.schedule;

import java.sql.Connection;
import java.sql.SQLException;
import org.quartz.JobKey;
import org.quartz.JobPersistenceException;
import org.quartz.impl.jdbcjobstore.JobStoreTX;
import org.quartz.spi.OperableTrigger;
import org.quartz.spi.TriggerFiredBundle;

/**
 * Quartz's clustered job store, made to keep its word that a job marked so never runs twice at
 * once.
 *
 * <p>An agent takes hold of triggers some time before they fire. When another agent then starts the
 * same job by another trigger, Quartz blocks the trigger that was taken; but when the first agent
 * finds that it may not fire it, Quartz lets it wait again instead of leaving it blocked, and the
 * next agent fires it while the job still runs (Quartz issue 674). So whether the job runs is asked
 * of the records of running jobs, both before firing and after letting go. Both happen under the
 * cluster's lock. Quartz creates the store by its class name.
 */
@SuppressWarnings("unchecked") // Quartz overrides a generic method with a raw one
public final class ExclusiveJobStore extends JobStoreTX {

  @Override
  protected TriggerFiredBundle triggerFired(Connection connection, OperableTrigger trigger)
      throws JobPersistenceException {
    return isRunning(connection, trigger.getJobKey())
        ? nothing()
        : super.triggerFired(connection, trigger);
  }

  @Override
  protected void releaseAcquiredTrigger(Connection connection, OperableTrigger trigger)
      throws JobPersistenceException {
    super.releaseAcquiredTrigger(connection, trigger);
    if (isRunning(connection, trigger.getJobKey())) {
      try {
        getDelegate()
            .updateTriggerStateFromOtherState(
                connection, trigger.getKey(), STATE_BLOCKED, STATE_WAITING);
      } catch (SQLException e) {
        throw new JobPersistenceException("cannot block a trigger: " + e.getMessage(), e);
      }
    }
  }

  private boolean isRunning(Connection connection, JobKey job) throws JobPersistenceException {
    try {
      return getDelegate()
          .selectFiredTriggerRecordsByJob(connection, job.getName(), job.getGroup())
          .stream()
          .anyMatch(record -> record.getFireInstanceState().equals(STATE_EXECUTING));
    } catch (SQLException e) {
      throw new JobPersistenceException("cannot see what runs: " + e.getMessage(), e);
    }
  }

  /** What Quartz returns for a trigger that may not fire. */
  @SuppressWarnings("NullAway") // Quartz is not annotated; null is its documented answer
  private static TriggerFiredBundle nothing() {
    return null;
  }
}
