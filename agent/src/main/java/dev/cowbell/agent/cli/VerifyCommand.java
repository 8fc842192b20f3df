package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.verify.Damage;
import dev.cowbell.agent.verify.Sample;
import dev.cowbell.agent.verify.Verify;
import dev.cowbell.agent.verify.VerifyReport;
import dev.cowbell.agent.verify.VerifyRequest;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.io.PrintStream;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code cowbell verify}. */
@Command(
    name = "verify",
    description =
        "Checks restore points; lists what is damaged or missing and which points it touches.")
final class VerifyCommand extends CowbellCommand {

  private enum Level {
    METADATA,
    DATA,
    BOOT
  }

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(names = "--vm", paramLabel = "NAME", description = "Only this VM's.")
  private @Nullable String vm;

  @Option(names = "--point", paramLabel = "ID|latest", description = "Only this point's chain.")
  private @Nullable String point;

  @Option(
      names = "--level",
      paramLabel = "metadata|data|boot",
      description = "How deep; default: metadata.")
  private Level level = Level.METADATA;

  @Option(
      names = "--sample",
      paramLabel = "PERCENT",
      description = "With --level data: read so much of the data, chosen at random.")
  private double sample = Sample.ALL;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Choose the sample again that a run with this number chose.")
  private @Nullable Long seed;

  @Override
  protected ExitCode run() throws Exception {
    if (level == Level.BOOT) {
      throw CommandFailedException.usage("--level boot is not available in this version")
          .hint("--level data reads and checks every byte");
    }
    long chosen = seed == null ? ThreadLocalRandom.current().nextLong(1L << 32) : seed;
    VerifyRequest request =
        new VerifyRequest(
            vm == null ? Optional.empty() : Optional.of(Arguments.vm(vm)),
            Optional.ofNullable(point),
            level == Level.DATA ? VerifyRequest.Level.DATA : VerifyRequest.Level.METADATA,
            Sample.ofPercent(sample, chosen));
    VerifyReport report;
    try (Repository open = repository.openForReading(console())) {
      report = new Verify(open, progress(), cancellation()).run(request);
    }
    if (output.isJson()) {
      JsonOutput.print(console().out(), json -> write(json, chosen, report));
    } else {
      print(chosen, report);
    }
    return report.damage().isEmpty() ? ExitCode.DONE : ExitCode.DAMAGE;
  }

  private void print(long chosen, VerifyReport report) {
    PrintStream out = console().out();
    for (Damage damage : report.damage()) {
      out.printf(
          "DAMAGE %s: %s%n  %s%s touches %s%n",
          damage.object(),
          OneLine.of(damage.problem()),
          damage.vm().map(name -> "VM " + name + ", ").orElse(""),
          damage.disk().map(disk -> "disk " + disk + ",").orElse(""),
          damage.touches().isEmpty()
              ? "no point"
              : damage.touches().stream().map(PointId::value).collect(Collectors.joining(", ")));
    }
    if (!isQuiet()) {
      for (ObjectKey key : report.unreferenced()) {
        out.printf("leftover %s: no manifest names it%n", key);
      }
    }
    out.printf(
        "%d points, %d overlays, %s read%s: %s%n",
        report.points(),
        report.overlays(),
        ByteSize.human(report.bytesRead()),
        sample < Sample.ALL ? " (sample, --seed " + chosen + ")" : "",
        report.damage().isEmpty()
            ? "no damage found"
            : report.damage().size() + " objects damaged or missing");
  }

  private void write(JsonGenerator json, long chosen, VerifyReport report) throws IOException {
    json.writeStartObject();
    json.writeNumberField("points", report.points());
    json.writeNumberField("overlays", report.overlays());
    json.writeNumberField("bytesRead", report.bytesRead());
    json.writeNumberField("samplePercent", sample);
    json.writeNumberField("seed", chosen);
    json.writeArrayFieldStart("damage");
    for (Damage damage : report.damage()) {
      json.writeStartObject();
      json.writeStringField("object", damage.object().value());
      if (damage.vm().isPresent()) {
        json.writeStringField("vm", damage.vm().get().value());
      }
      if (damage.disk().isPresent()) {
        json.writeStringField("disk", damage.disk().get().value());
      }
      json.writeStringField("problem", damage.problem());
      json.writeArrayFieldStart("points");
      for (PointId touched : damage.touches()) {
        json.writeString(touched.value());
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("unreferenced");
    for (ObjectKey key : report.unreferenced()) {
      json.writeString(key.value());
    }
    json.writeEndArray();
    json.writeEndObject();
  }
}
