package dev.cowbell.agent.config;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Optional;

/**
 * How a value is written in the file. Reading it and describing it in the schema derive from the
 * same declaration.
 *
 * @param <T> what it becomes
 */
interface Shape<T> {

  /**
   * Reads a value.
   *
   * @return empty when a problem was told to {@code reading}
   */
  Optional<T> read(YamlNode node, Reading reading);

  /** The value's JSON Schema. */
  ObjectNode schema();
}
