package dev.cowbell.agent.schedule;

import java.io.IOException;
import java.sql.SQLException;
import java.util.Properties;
import java.util.UUID;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import org.quartz.impl.jdbcjobstore.PostgreSQLDelegate;
import org.quartz.simpl.RAMJobStore;
import org.quartz.simpl.SimpleThreadPool;
import org.quartz.utils.DBConnectionManager;

/** Builds Quartz for the job store that was chosen. */
final class QuartzFactory {

  private static final int NAME_LENGTH = 60;

  private QuartzFactory() {}

  static Scheduler create(SchedulerOptions options) throws SchedulerException, IOException {
    // Two agents with one instance id would take each other's runs for their own.
    String instance = cut(options.agent()) + "-" + UUID.randomUUID();
    Properties settings = new Properties();
    settings.setProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_ID, instance);
    settings.setProperty(
        StdSchedulerFactory.PROP_THREAD_POOL_CLASS, SimpleThreadPool.class.getName());
    settings.setProperty(
        "org.quartz.threadPool.threadCount", Integer.toString(options.concurrency()));
    settings.setProperty(
        "org.quartz.jobStore.misfireThreshold",
        Long.toString(options.pace().misfireAfter().toMillis()));
    return switch (options.store()) {
      case JobStore.Memory() -> inMemory(settings, cut(options.cluster()) + "-" + instance);
      case JobStore.Postgresql database -> inDatabase(settings, options, database, instance);
    };
  }

  private static Scheduler inMemory(Properties settings, String name) throws SchedulerException {
    settings.setProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_NAME, name);
    settings.setProperty(StdSchedulerFactory.PROP_JOB_STORE_CLASS, RAMJobStore.class.getName());
    return new StdSchedulerFactory(settings).getScheduler();
  }

  private static Scheduler inDatabase(
      Properties settings, SchedulerOptions options, JobStore.Postgresql database, String instance)
      throws SchedulerException, IOException {
    PostgresqlConnections connections = connect(database, options.concurrency());
    DBConnectionManager.getInstance().addConnectionProvider(instance, connections);
    settings.setProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_NAME, cut(options.cluster()));
    settings.setProperty(
        StdSchedulerFactory.PROP_JOB_STORE_CLASS, ExclusiveJobStore.class.getName());
    settings.setProperty(
        "org.quartz.jobStore.driverDelegateClass", PostgreSQLDelegate.class.getName());
    settings.setProperty(
        "org.quartz.jobStore.driverDelegateInitString",
        "triggerPersistenceDelegateClasses=" + TimingTriggerPersistence.class.getName());
    settings.setProperty("org.quartz.jobStore.useProperties", "true");
    settings.setProperty("org.quartz.jobStore.dataSource", instance);
    settings.setProperty("org.quartz.jobStore.isClustered", "true");
    settings.setProperty(
        "org.quartz.jobStore.clusterCheckinInterval",
        Long.toString(options.pace().checkIn().toMillis()));
    return new StdSchedulerFactory(settings).getScheduler();
  }

  private static PostgresqlConnections connect(JobStore.Postgresql database, int runs)
      throws IOException {
    PostgresqlConnections connections = null;
    try {
      connections = new PostgresqlConnections(database, runs);
      JobStoreSchema.createIfMissing(connections.pool());
      return connections;
    } catch (SQLException | RuntimeException e) {
      if (connections != null) {
        connections.shutdown();
      }
      throw new IOException(
          "cannot open the job store " + database.url() + ": " + e.getMessage(), e);
    }
  }

  private static String cut(String name) {
    return name.length() > NAME_LENGTH ? name.substring(0, NAME_LENGTH) : name;
  }
}
