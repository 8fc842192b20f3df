package dev.cowbell.agent.schedule;

import java.util.function.Supplier;

/** Where the scheduler keeps what is due. */
public sealed interface JobStore {

  /** In this process: for one agent alone. */
  record Memory() implements JobStore {}

  /**
   * In a PostgreSQL database: for one agent, or several that share the work. All of them need the
   * same jobs and clocks that agree within a second.
   *
   * @param url a JDBC URL, {@code jdbc:postgresql:…}
   * @param user the database user
   * @param password looked up when the scheduler starts; empty for none
   */
  record Postgresql(String url, String user, Supplier<String> password) implements JobStore {}
}
