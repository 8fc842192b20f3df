package dev.cowbell.agent.schedule;

import java.util.regex.Pattern;

/**
 * Names a job.
 *
 * @param value 1 to 60 characters of {@code [A-Za-z0-9._-]}, the first no dot
 */
public record JobName(String value) implements Comparable<JobName> {

  /** The rule as a regular expression, for schemas. */
  public static final String PATTERN = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}$";

  /** The rule in words, for error messages. */
  public static final String ALLOWED = "1 to 60 characters of A-Z a-z 0-9 . _ -, the first no dot";

  private static final Pattern NAME = Pattern.compile(PATTERN);

  public JobName {
    if (!NAME.matcher(value).matches()) {
      throw new IllegalArgumentException("must be " + ALLOWED);
    }
  }

  @Override
  public int compareTo(JobName other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
