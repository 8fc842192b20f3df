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

  /** What every Cowbell reads. */
  static final int BASIC = 1;

  /** What only those read that know of merges: see docs/repository.md. */
  static final int MERGES = 2;

  private static final int REVISION = 2;

  private DocumentFormat() {}

  /**
   * Begins a document.
   *
   * @param format {@link #BASIC}, or {@link #MERGES} if a reader that ignored what is new in it
   *     would go wrong
   */
  static ObjectNode begin(int format) {
    return SealedJson.object().put("format", format).put("revision", REVISION);
  }

  /** Opens a sealed document and checks that this version can read it. */
  static JsonFields read(ObjectKey key, byte[] document) throws IOException {
    ObjectNode content = SealedJson.open(key, document);
    JsonFields versions = new JsonFields(key, content, true);
    long format = versions.integer("format", 1, Integer.MAX_VALUE);
    long revision = versions.integer("revision", 0, Integer.MAX_VALUE);
    if (format > MERGES) {
      throw new NewerFormatException(key, format, MERGES);
    }
    JsonFields fields = new JsonFields(key, content, revision > REVISION);
    fields.integer("format", 1, MERGES);
    fields.integer("revision", 0, Integer.MAX_VALUE);
    return fields;
  }
}
