package dev.cowbell.agent.cli.image;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.JsonOutput;
import dev.cowbell.agent.cli.OutputFormat;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.Feature;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image info}: as {@code qemu-img info}. */
@Command(name = "info", description = "Describes an image.")
final class InfoCommand extends CowbellCommand {

  @Mixin private OutputFormat output;
  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format: qcow2 or raw.")
  private @Nullable String format;

  @Option(names = "--backing-chain", description = "Describe the backing files, too.")
  private boolean chain;

  @Parameters(paramLabel = "FILE", description = "The image.")
  private Path file;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    try (MappedDisk image =
        rules.open(file, format, chain ? rules.options() : rules.metadataOnly())) {
      List<ImageFacts> layers = new ArrayList<>();
      for (Optional<MappedDisk> layer = Optional.of(image);
          layer.isPresent();
          layer = layer.flatMap(InfoCommand::below)) {
        layers.add(ImageFacts.of(layer.get()));
        if (!chain) {
          break;
        }
      }
      if (output.isJson()) {
        JsonOutput.print(console().out(), json -> printJson(json, layers));
      } else {
        InfoText text = new InfoText(console().out(), console().zone().get());
        for (int i = 0; i < layers.size(); i++) {
          if (i > 0) {
            console().out().println();
          }
          text.print(layers.get(i));
        }
      }
      layers.forEach(layer -> layer.warnings().forEach(console()::warn));
    }
    return ExitCode.DONE;
  }

  private static Optional<MappedDisk> below(MappedDisk disk) {
    return disk instanceof Qcow2Image image ? image.backing() : Optional.empty();
  }

  private void printJson(JsonGenerator json, List<ImageFacts> layers) throws IOException {
    if (chain) {
      json.writeStartArray();
    }
    for (ImageFacts layer : layers) {
      printJson(json, layer);
    }
    if (chain) {
      json.writeEndArray();
    }
  }

  private static void printJson(JsonGenerator json, ImageFacts facts) throws IOException {
    json.writeStartObject();
    json.writeNumberField("virtual-size", facts.virtualSize());
    json.writeStringField("filename", facts.filename());
    json.writeStringField("format", facts.format());
    json.writeNumberField("actual-size", facts.actualSize());
    json.writeBooleanField("dirty-flag", facts.has(Feature.DIRTY));
    if (facts.qcow2().isPresent()) {
      ImageFacts.Qcow2 qcow2 = facts.qcow2().get();
      json.writeNumberField("cluster-size", qcow2.clusterSize());
      if (qcow2.isEncrypted()) {
        json.writeBooleanField("encrypted", true);
      }
      writeOptional(json, "backing-filename", qcow2.backingFile());
      writeOptional(json, "full-backing-filename", facts.fullBackingName());
      writeOptional(json, "backing-filename-format", qcow2.backingFormat());
      if (!qcow2.snapshots().isEmpty()) {
        InfoJson.snapshots(json, qcow2.snapshots());
      }
      json.writeObjectFieldStart("format-specific");
      json.writeStringField("type", "qcow2");
      json.writeObjectFieldStart("data");
      InfoJson.data(json, qcow2);
      json.writeEndObject();
      json.writeEndObject();
    }
    json.writeEndObject();
  }

  private static void writeOptional(JsonGenerator json, String name, Optional<String> value)
      throws IOException {
    if (value.isPresent()) {
      json.writeStringField(name, value.get());
    }
  }
}
