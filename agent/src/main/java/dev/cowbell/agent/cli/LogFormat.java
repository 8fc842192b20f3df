package dev.cowbell.agent.cli;

/** How the log is written. */
public enum LogFormat {
  /** Lines for people. */
  TEXT,
  /** One JSON object a line, with every fact under a key of its own. */
  JSON;

  private static final String PROPERTY = "cowbell.log.format";

  /** Puts the format in force for loggers that are not there yet. */
  void apply() {
    System.setProperty(PROPERTY, name());
  }

  /** The format in force. */
  static LogFormat current() {
    return JSON.name().equals(System.getProperty(PROPERTY)) ? JSON : TEXT;
  }
}
