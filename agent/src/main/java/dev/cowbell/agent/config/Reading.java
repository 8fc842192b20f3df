package dev.cowbell.agent.config;

import java.util.List;

/**
 * Where in the file reading has got to, and what was wrong so far.
 *
 * @param path the keys down to here, joined by dots
 * @param problems shared by the whole file
 */
record Reading(String path, List<ConfigProblem> problems) {

  Reading into(String key) {
    String shown = Suggestion.shown(key);
    return new Reading(path.isEmpty() ? shown : path + "." + shown, problems);
  }

  Reading item(int index) {
    return new Reading(path + "[" + index + "]", problems);
  }

  void problem(Position at, String message) {
    problems.add(new ConfigProblem(at, path, message));
  }
}
