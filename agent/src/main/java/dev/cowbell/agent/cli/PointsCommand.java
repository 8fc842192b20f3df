package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.Catalogue.Unreadable;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VmName;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code cowbell points}. */
@Command(name = "points", description = "Lists restore points, oldest first.")
final class PointsCommand extends CowbellCommand {

  private static final String ROW = "%-22s %-20s %-11s %10s %10s %5s %-6s %s%n";

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(names = "--vm", paramLabel = "NAME", description = "Only this VM's.")
  private @Nullable String vm;

  @Override
  protected ExitCode run() throws Exception {
    List<Catalogue> catalogues = new ArrayList<>();
    try (Repository open = repository.openForReading(console())) {
      List<VmName> vms = vm == null ? open.vms() : List.of(Arguments.vm(vm));
      for (VmName name : vms) {
        catalogues.add(open.catalogue(name));
      }
    }
    if (vm != null && catalogues.stream().allMatch(PointsCommand::isEmpty)) {
      throw new NotFoundException("VM %s has no restore points".formatted(vm));
    }
    if (output.isJson()) {
      printJson(catalogues);
    } else {
      print(catalogues);
    }
    boolean damage = catalogues.stream().anyMatch(c -> !c.unreadable().isEmpty());
    return damage ? ExitCode.WARNINGS : ExitCode.DONE;
  }

  private static boolean isEmpty(Catalogue catalogue) {
    return catalogue.points().isEmpty() && catalogue.unreadable().isEmpty();
  }

  private void print(List<Catalogue> catalogues) {
    PrintStream out = console().out();
    for (Catalogue catalogue : catalogues) {
      if (vm == null) {
        out.println("VM " + catalogue.vm());
      }
      out.printf(ROW, "POINT", "TIME", "KIND", "STORED", "CHANGED", "CHAIN", "PINNED", "LABELS");
      for (Manifest point : catalogue.points()) {
        out.printf(
            ROW,
            point.point(),
            point.time().truncatedTo(java.time.temporal.ChronoUnit.SECONDS),
            point.kind().word(),
            ByteSize.human(point.storedBytes()),
            ByteSize.human(point.changedBytes()),
            chainLength(catalogue, point).isPresent()
                ? chainLength(catalogue, point).getAsInt()
                : "broken",
            point.pinned() ? "yes" : "",
            point.labels().entrySet().stream()
                .map(Map.Entry::toString)
                .collect(Collectors.joining(" ")));
      }
      for (Unreadable bad : catalogue.unreadable()) {
        console().err().println("cowbell points: " + bad.key() + ": " + bad.problem());
      }
    }
  }

  /** The length of the longest of its disks' chains; empty if one is broken. */
  private static OptionalInt chainLength(Catalogue catalogue, Manifest point) {
    int longest = 0;
    for (DiskRecord disk : point.disks()) {
      Optional<Integer> length = catalogue.chainLength(point, disk.name());
      if (length.isEmpty()) {
        return OptionalInt.empty();
      }
      longest = Math.max(longest, length.get());
    }
    return OptionalInt.of(longest);
  }

  private void printJson(List<Catalogue> catalogues) throws IOException {
    JsonOutput.print(
        console().out(),
        json -> {
          json.writeStartObject();
          json.writeArrayFieldStart("points");
          for (Catalogue catalogue : catalogues) {
            for (Manifest point : catalogue.points()) {
              write(json, catalogue, point);
            }
          }
          json.writeEndArray();
          json.writeArrayFieldStart("unreadable");
          for (Catalogue catalogue : catalogues) {
            for (Unreadable bad : catalogue.unreadable()) {
              json.writeStartObject();
              json.writeStringField("vm", catalogue.vm().value());
              json.writeStringField("id", bad.point().value());
              json.writeStringField("key", bad.key().value());
              json.writeStringField("problem", bad.problem());
              json.writeEndObject();
            }
          }
          json.writeEndArray();
          json.writeEndObject();
        });
  }

  private static void write(JsonGenerator json, Catalogue catalogue, Manifest point)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("vm", point.vm().value());
    json.writeStringField("id", point.point().value());
    json.writeStringField("time", point.time().toString());
    json.writeStringField("kind", point.kind().word());
    json.writeStringField("consistency", point.consistency().word());
    json.writeNumberField("storedBytes", point.storedBytes());
    json.writeNumberField("changedBytes", point.changedBytes());
    OptionalInt chain = chainLength(catalogue, point);
    if (chain.isPresent()) {
      json.writeNumberField("chainLength", chain.getAsInt());
    } else {
      json.writeNullField("chainLength");
    }
    json.writeBooleanField("pinned", point.pinned());
    json.writeObjectFieldStart("labels");
    for (Map.Entry<String, String> label : point.labels().entrySet()) {
      json.writeStringField(label.getKey(), label.getValue());
    }
    json.writeEndObject();
    json.writeArrayFieldStart("disks");
    for (DiskRecord disk : point.disks()) {
      write(json, disk);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  static void write(JsonGenerator json, DiskRecord disk) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", disk.name().value());
    json.writeNumberField("virtualSize", disk.virtualSize());
    json.writeStringField("kind", disk.kind().word());
    if (disk.parent().isPresent()) {
      json.writeStringField("parent", disk.parent().get().value());
    }
    json.writeStringField("reason", disk.reason());
    json.writeNumberField("storedBytes", disk.storedBytes());
    json.writeNumberField("changedBytes", disk.counts().changedBytes());
    json.writeStringField("source", disk.source().path());
    if (disk.source().encryption().isPresent()) {
      json.writeStringField("sourceEncryption", disk.source().encryption().get());
    }
    json.writeEndObject();
  }
}
