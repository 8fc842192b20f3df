package dev.cowbell.agent.schedule;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import org.quartz.utils.ConnectionProvider;

/** Hands pooled connections to Quartz. */
final class PostgresqlConnections implements ConnectionProvider {

  /** Quartz's own threads, besides the runs: scheduler, misfires, cluster. */
  private static final int OWN_THREADS = 4;

  private final HikariDataSource pool;

  PostgresqlConnections(JobStore.Postgresql database, int runs) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(database.url());
    config.setUsername(database.user());
    config.setPassword(database.password().get());
    config.setMaximumPoolSize(runs + OWN_THREADS);
    config.setMinimumIdle(1);
    config.setPoolName("cowbell-jobs");
    pool = new HikariDataSource(config);
  }

  HikariDataSource pool() {
    return pool;
  }

  @Override
  public Connection getConnection() throws SQLException {
    return pool.getConnection();
  }

  @Override
  public void initialize() {
    // The pool is ready when it is made.
  }

  @Override
  public void shutdown() {
    pool.close();
  }
}
