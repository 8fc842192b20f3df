package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import java.io.IOException;
import java.io.PrintStream;

/**
 * Writes the one JSON document of a command to its standard output, streamed, so that long lists
 * cost no memory.
 */
public final class JsonOutput {

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .disable(StreamWriteFeature.AUTO_CLOSE_TARGET)
          // a document cut short by a failure must not look whole
          .disable(StreamWriteFeature.AUTO_CLOSE_CONTENT)
          .build();

  private JsonOutput() {}

  /** Writes a document's content. */
  @FunctionalInterface
  public interface Document {
    void write(JsonGenerator json) throws IOException;
  }

  /** Writes {@code document} and a line end to {@code out}, which stays open. */
  public static void print(PrintStream out, Document document) throws IOException {
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      json.setPrettyPrinter(new DefaultPrettyPrinter());
      document.write(json);
    }
    out.println();
  }
}
