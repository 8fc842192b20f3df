package dev.cowbell.agent.notify;

import dev.cowbell.agent.repository.ToldRecord;
import dev.cowbell.agent.schedule.JobStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.Optional;
import java.util.Properties;

/**
 * Keeps the ledger in the database that several agents share: they agree on what was told even
 * while no repository can be reached. A connection is made for each question: there are few.
 */
final class DatabasePages implements Ledger.Pages {

  /** Names the lock that agents take while they create the table. */
  private static final long LOCK = 0x636f776265746fL;

  private static final String TIMEOUT_SECONDS = "20";

  private final JobStore.Postgresql database;
  private final String cluster;

  /**
   * @param cluster whose agents share what is in it
   */
  DatabasePages(JobStore.Postgresql database, String cluster) {
    this.database = database;
    this.cluster = cluster;
  }

  @Override
  public Optional<Ledger.Page> read(Subject subject) throws IOException {
    try (Connection connection = connect();
        PreparedStatement query =
            connection.prepareStatement(
                "SELECT well, since, claimed_until, version FROM cowbell_told"
                    + " WHERE cluster = ? AND repository = ? AND vm = ? AND subject = ?")) {
      name(query, 1, subject);
      try (ResultSet found = query.executeQuery()) {
        return found.next() ? Optional.of(page(found)) : Optional.empty();
      }
    } catch (SQLException e) {
      throw unusable(e);
    }
  }

  private static Ledger.Page page(ResultSet found) throws SQLException {
    long claimed = found.getLong(3);
    Optional<Instant> until =
        found.wasNull() ? Optional.empty() : Optional.of(Instant.ofEpochMilli(claimed));
    return new Ledger.Page(
        new ToldRecord(found.getBoolean(1), Instant.ofEpochMilli(found.getLong(2)), until),
        found.getString(4));
  }

  @Override
  public boolean write(Subject subject, Optional<Ledger.Page> before, ToldRecord now)
      throws IOException {
    String command =
        before.isPresent()
            ? "UPDATE cowbell_told SET well = ?, since = ?, claimed_until = ?, version = version + 1"
                + " WHERE cluster = ? AND repository = ? AND vm = ? AND subject = ?"
                + " AND version = ?"
            : "INSERT INTO cowbell_told"
                + " (well, since, claimed_until, version, cluster, repository, vm, subject)"
                + " VALUES (?, ?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    try (Connection connection = connect();
        PreparedStatement change = connection.prepareStatement(command)) {
      change.setBoolean(1, now.well());
      change.setLong(2, now.since().toEpochMilli());
      if (now.claimedUntil().isPresent()) {
        change.setLong(3, now.claimedUntil().get().toEpochMilli());
      } else {
        change.setNull(3, java.sql.Types.BIGINT);
      }
      name(change, 4, subject);
      if (before.isPresent()) {
        change.setLong(8, Long.parseLong(before.get().version()));
      }
      return change.executeUpdate() == 1;
    } catch (SQLException e) {
      throw unusable(e);
    }
  }

  private void name(PreparedStatement statement, int at, Subject subject) throws SQLException {
    statement.setString(at, cluster);
    statement.setString(at + 1, subject.repository());
    statement.setString(at + 2, subject.vm().value());
    statement.setString(at + 3, subject.name());
  }

  private Connection connect() throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", database.user());
    properties.setProperty("password", password());
    properties.setProperty("loginTimeout", TIMEOUT_SECONDS);
    properties.setProperty("socketTimeout", TIMEOUT_SECONDS);
    Connection connection = DriverManager.getConnection(database.url(), properties);
    try {
      createIfMissing(connection);
      return connection;
    } catch (SQLException e) {
      connection.close();
      throw e;
    }
  }

  private String password() throws SQLException {
    try {
      return database.password().get();
    } catch (UncheckedIOException e) {
      throw new SQLException(e.getMessage(), e);
    }
  }

  private static void createIfMissing(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      try (ResultSet there =
          statement.executeQuery("SELECT to_regclass('cowbell_told') IS NOT NULL")) {
        if (there.next() && there.getBoolean(1)) {
          return;
        }
      }
      connection.setAutoCommit(false);
      statement.execute("SELECT pg_advisory_xact_lock(" + LOCK + ")");
      statement.execute(
          "CREATE TABLE IF NOT EXISTS cowbell_told (cluster text, repository text, vm text,"
              + " subject text, well boolean NOT NULL, since bigint NOT NULL, claimed_until bigint,"
              + " version bigint NOT NULL, PRIMARY KEY (cluster, repository, vm, subject))");
      connection.commit();
      connection.setAutoCommit(true);
    }
  }

  private IOException unusable(SQLException e) {
    return new IOException(
        "cannot use the job store %s: %s".formatted(database.url(), e.getMessage()), e);
  }
}
