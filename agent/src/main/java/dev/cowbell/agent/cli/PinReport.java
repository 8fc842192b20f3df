package dev.cowbell.agent.cli;

import dev.cowbell.agent.repository.Manifest;
import java.io.IOException;
import java.io.PrintStream;

/** Says whether a point is pinned. */
final class PinReport {

  private PinReport() {}

  static void print(PrintStream out, OutputFormat output, Manifest point) throws IOException {
    if (!output.isJson()) {
      out.printf(
          "Point %s of VM %s is %spinned.%n",
          point.point(), point.vm(), point.pinned() ? "" : "not ");
      return;
    }
    JsonOutput.print(
        out,
        json -> {
          json.writeStartObject();
          json.writeStringField("vm", point.vm().value());
          json.writeStringField("point", point.point().value());
          json.writeBooleanField("pinned", point.pinned());
          json.writeEndObject();
        });
  }
}
