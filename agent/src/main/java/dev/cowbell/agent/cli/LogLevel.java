package dev.cowbell.agent.cli;

/** How much is logged; a system property hands it to {@link StderrLogging} before the first log. */
enum LogLevel {
  ERROR,
  WARN,
  INFO,
  DEBUG;

  private static final String PROPERTY = "cowbell.log.level";

  /** Makes this the level of loggers that are not there yet. */
  void apply() {
    System.setProperty(PROPERTY, name());
  }

  /** The level in force: {@link #WARN} when nobody said otherwise. */
  static LogLevel current() {
    try {
      return valueOf(System.getProperty(PROPERTY, WARN.name()));
    } catch (IllegalArgumentException _) {
      return WARN;
    }
  }
}
