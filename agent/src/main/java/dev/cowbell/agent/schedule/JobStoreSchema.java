package dev.cowbell.agent.schedule;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.List;
import javax.sql.DataSource;

/**
 * Creates Quartz's tables where they are missing. Several agents may try at once; tables that exist
 * are left alone, whatever they hold.
 */
final class JobStoreSchema {

  private static final String SCRIPT = "/org/quartz/impl/jdbcjobstore/tables_postgres.sql";

  /** Names the lock that agents take while they look and create. */
  private static final long LOCK = 0x636f7762656c6cL;

  private JobStoreSchema() {}

  static void createIfMissing(DataSource database) throws SQLException, IOException {
    List<String> script = script();
    try (Connection connection = database.getConnection();
        Statement statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      statement.execute("SELECT pg_advisory_xact_lock(" + LOCK + ")");
      if (!exists(statement)) {
        for (String command : script) {
          statement.execute(command);
        }
      }
      connection.commit();
    }
  }

  private static boolean exists(Statement statement) throws SQLException {
    try (ResultSet result =
        statement.executeQuery("SELECT to_regclass('qrtz_job_details') IS NOT NULL")) {
      return result.next() && result.getBoolean(1);
    }
  }

  /** Quartz's script without the commands that drop what is there, or end the transaction. */
  private static List<String> script() throws IOException {
    try (InputStream in = JobStoreSchema.class.getResourceAsStream(SCRIPT)) {
      if (in == null) {
        throw new IOException("the scheduler's tables are not in this build: " + SCRIPT);
      }
      String text =
          new String(in.readAllBytes(), StandardCharsets.UTF_8).replaceAll("(?m)^\\s*--.*$", "");
      return Arrays.stream(text.split(";", -1))
          .map(String::strip)
          .filter(command -> command.startsWith("CREATE "))
          .toList();
    }
  }
}
