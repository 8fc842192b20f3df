package dev.cowbell.agent.config;

import java.util.Map;
import java.util.Optional;

/** The values of a section that was read without a problem. */
final class Fields {

  private final Map<Key<?>, Object> values;

  Fields(Map<Key<?>, Object> values) {
    this.values = values;
  }

  /** What stands at {@code key}, which may be left out. */
  @SuppressWarnings("unchecked") // each key's value was read by the key's own shape
  <T> Optional<T> at(Key<T> key) {
    return Optional.ofNullable((T) values.get(key));
  }

  /** What stands at {@code key}, which is required. */
  <T> T of(Key<T> key) {
    return at(key).orElseThrow(() -> new IllegalStateException("not required: " + key.name()));
  }
}
