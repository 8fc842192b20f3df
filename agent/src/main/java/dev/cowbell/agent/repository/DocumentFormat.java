package dev.cowbell.agent.repository;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;

/**
 * The two numbers every document of a repository begins with. A reader refuses a {@code format}
 * that it does not know. Within a format, a later {@code revision} only adds fields that earlier
 * readers may ignore.
 */
final class DocumentFormat {

  private static final int FORMAT = 1;
  private static final int REVISION = 1;

  private DocumentFormat() {}

  static ObjectNode begin() {
    return SealedJson.object().put("format", FORMAT).put("revision", REVISION);
  }

  /** Opens a sealed document and checks that this version can read it. */
  static JsonFields read(ObjectKey key, byte[] document) throws IOException {
    ObjectNode content = SealedJson.open(key, document);
    JsonFields versions = new JsonFields(key, content, true);
    long format = versions.integer("format", 1, Integer.MAX_VALUE);
    long revision = versions.integer("revision", 0, Integer.MAX_VALUE);
    if (format > FORMAT) {
      throw new NewerFormatException(key, format, FORMAT);
    }
    JsonFields fields = new JsonFields(key, content, revision > REVISION);
    fields.integer("format", 1, FORMAT);
    fields.integer("revision", 0, Integer.MAX_VALUE);
    return fields;
  }
}
