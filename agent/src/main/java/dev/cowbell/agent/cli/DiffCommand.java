package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.verify.PointDifference;
import dev.cowbell.agent.verify.PointDifference.DiskDifference;
import dev.cowbell.bitmaps.Run;
import java.io.IOException;
import java.io.PrintStream;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cowbell diff}. */
@Command(
    name = "diff",
    description = {
      "Lists where disks may differ between two points, as overlays tell without their data.",
      "What is not listed is the same at both."
    })
final class DiffCommand extends CowbellCommand {

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(names = "--vm", paramLabel = "NAME", required = true, description = "Whose points.")
  private String vm = "";

  @Option(names = "--disk", paramLabel = "NAME", description = "Only this disk.")
  private @Nullable String disk;

  @Parameters(index = "0", paramLabel = "FROM", description = "A point.")
  private String from = "";

  @Parameters(index = "1", paramLabel = "TO", description = "Another point.")
  private String to = "";

  @Override
  protected ExitCode run() throws Exception {
    PointDifference difference;
    try (Repository open = repository.openForReading(console())) {
      difference =
          PointDifference.between(
              open,
              Arguments.vm(vm),
              from,
              to,
              disk == null ? Optional.empty() : Optional.of(Arguments.disk(disk)));
    }
    if (output.isJson()) {
      JsonOutput.print(console().out(), json -> write(json, difference));
    } else {
      print(difference);
    }
    return ExitCode.DONE;
  }

  private void print(PointDifference difference) {
    PrintStream out = console().out();
    for (DiskDifference one : difference.disks()) {
      out.printf(
          "Disk %s: at most %s differ between %s and %s%n",
          one.disk(),
          ByteSize.human(one.extents().totalLength()),
          difference.from(),
          difference.to());
      one.extents().forEachRun((start, length) -> out.printf("%16d %14d%n", start, length));
    }
  }

  private static void write(JsonGenerator json, PointDifference difference) throws IOException {
    json.writeStartObject();
    json.writeStringField("from", difference.from().value());
    json.writeStringField("to", difference.to().value());
    json.writeArrayFieldStart("disks");
    for (DiskDifference one : difference.disks()) {
      json.writeStartObject();
      json.writeStringField("name", one.disk().value());
      json.writeNumberField("differingBytes", one.extents().totalLength());
      json.writeArrayFieldStart("extents");
      for (Run run : one.extents()) {
        json.writeStartObject();
        json.writeNumberField("start", run.offset());
        json.writeNumberField("length", run.length());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }
}
