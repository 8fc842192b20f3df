package dev.cowbell.agent.config;

/**
 * A key of a section.
 *
 * @param name as the user writes it
 * @param shape how its value is written
 * @param help one sentence for editors and documentation
 * @param presence whether it may be left out
 * @param <T> what its value becomes
 */
record Key<T>(String name, Shape<T> shape, String help, Presence presence) {

  enum Presence {
    REQUIRED,
    OPTIONAL
  }

  static <T> Key<T> required(String name, Shape<T> shape, String help) {
    return new Key<>(name, shape, help, Presence.REQUIRED);
  }

  static <T> Key<T> optional(String name, Shape<T> shape, String help) {
    return new Key<>(name, shape, help, Presence.OPTIONAL);
  }
}
