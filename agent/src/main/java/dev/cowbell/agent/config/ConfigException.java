package dev.cowbell.agent.config;

import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** The file holds problems: all that were found, in the order of the file. */
public final class ConfigException extends Exception {
  private static final long serialVersionUID = 1L;

  private final String file;
  private final transient List<ConfigProblem> problems;

  ConfigException(String file, List<ConfigProblem> problems) {
    super(problems.stream().map(p -> p.line(file)).collect(Collectors.joining("\n")));
    this.file = file;
    this.problems = problems.stream().sorted(Comparator.comparing(ConfigProblem::at)).toList();
  }

  public String file() {
    return file;
  }

  public List<ConfigProblem> problems() {
    return problems;
  }
}
