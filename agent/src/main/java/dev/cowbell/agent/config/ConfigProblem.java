package dev.cowbell.agent.config;

/**
 * Something wrong in the file.
 *
 * @param at where
 * @param path which key, such as {@code jobs.nightly.schedule.cron}; empty for the whole file
 * @param message what was found, what is allowed, and what may have been meant
 */
public record ConfigProblem(Position at, String path, String message) {

  /** One line, as compilers print it. */
  public String line(String file) {
    return file + ":" + at + ": " + (path.isEmpty() ? "" : path + ": ") + message;
  }
}
