package dev.cowbell.agent.retention;

import java.util.Map;
import java.util.Optional;

/**
 * Chooses points by a label: {@code key} matches any value, {@code key=value} just that one.
 *
 * @param key the label's name
 * @param value the value asked for; any when empty
 */
public record LabelSelector(String key, Optional<String> value) {

  public LabelSelector {
    if (key.isEmpty() || key.contains("=")) {
      throw new IllegalArgumentException("must be KEY or KEY=VALUE");
    }
  }

  /**
   * Reads {@code key} or {@code key=value}.
   *
   * @throws IllegalArgumentException saying what is allowed
   */
  public static LabelSelector parse(String text) {
    int equals = text.indexOf('=');
    return equals < 0
        ? new LabelSelector(text, Optional.empty())
        : new LabelSelector(text.substring(0, equals), Optional.of(text.substring(equals + 1)));
  }

  boolean matches(Map<String, String> labels) {
    String found = labels.get(key);
    return found != null && (value.isEmpty() || value.get().equals(found));
  }

  @Override
  public String toString() {
    return value.map(v -> key + "=" + v).orElse(key);
  }
}
