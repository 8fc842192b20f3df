package dev.cowbell.agent.config;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** A piece of YAML and where it begins. */
sealed interface YamlNode {

  Position at();

  /** What it is, for error messages. */
  String kind();

  /**
   * One value.
   *
   * @param plain whether it was written without quotes
   */
  record Scalar(String text, boolean plain, Position at) implements YamlNode {

    private static final Set<String> NULLS = Set.of("", "~", "null", "Null", "NULL");

    boolean isNull() {
      return plain && NULLS.contains(text);
    }

    @Override
    public String kind() {
      return isNull() ? "no value" : Suggestion.quoted(text);
    }
  }

  record Sequence(List<YamlNode> items, Position at) implements YamlNode {
    @Override
    public String kind() {
      return "a list";
    }
  }

  /**
   * Values under names.
   *
   * @param entries by key, in the order of the file
   */
  record Mapping(Map<String, Entry> entries, Position at) implements YamlNode {
    @Override
    public String kind() {
      return "a mapping";
    }
  }

  record Entry(Position keyAt, YamlNode value) {}
}
