package dev.cowbell.agent.config;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** The JSON Schema of the file, for editors: made from the same declaration that reads it. */
public final class ConfigSchema {

  private ConfigSchema() {}

  /** The schema as a JSON document that ends with a line end. */
  public static String document() {
    ObjectNode schema = Shapes.object();
    schema.put("$schema", "https://json-schema.org/draft/2020-12/schema");
    schema.put("title", "Cowbell agent configuration");
    schema.setAll(ConfigFormat.FILE.schema());
    return schema.toPrettyString() + "\n";
  }
}
