package dev.cowbell.agent.cli.image;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.JsonOutput;
import dev.cowbell.agent.cli.OutputFormat;
import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code image dirty}: what a persistent bitmap marks. */
@Command(name = "dirty", description = "Lists the runs that a persistent bitmap marks as changed.")
final class DirtyCommand extends CowbellCommand {

  @Mixin private OutputFormat output;
  @Mixin private OpenRules rules;

  @Parameters(index = "0", paramLabel = "FILE", description = "A qcow2 image.")
  private Path file;

  @Parameters(index = "1", paramLabel = "NAME", description = "A bitmap's name.")
  private String name;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    DirtyBitmap bitmap = load();
    if (output.isJson()) {
      JsonOutput.print(
          console().out(),
          json -> {
            json.writeStartArray();
            try {
              bitmap.forEachDirtyRun(
                  0, bitmap.size(), (offset, length) -> printJson(json, offset, length));
            } catch (UncheckedIOException e) {
              throw e.getCause();
            }
            json.writeEndArray();
          });
    } else {
      PrintStream out = console().out();
      out.printf("%-16s%s%n", "Offset", "Length");
      bitmap.forEachDirtyRun(
          0, bitmap.size(), (offset, length) -> out.printf("%-16s%s%n", hex(offset), hex(length)));
    }
    return ExitCode.DONE;
  }

  private DirtyBitmap load() throws IOException, CommandFailedException {
    try (MappedDisk disk = rules.open(file, "qcow2", rules.metadataOnly())) {
      Qcow2Image image = (Qcow2Image) disk;
      PersistentBitmaps bitmaps = PersistentBitmaps.read(image.file(), image.head());
      bitmaps.warnings().forEach(console()::warn);
      return bitmaps.load(name);
    }
  }

  private static void printJson(JsonGenerator json, long offset, long length) {
    try {
      json.writeStartObject();
      json.writeNumberField("start", offset);
      json.writeNumberField("length", length);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String hex(long value) {
    return value == 0 ? "0" : "0x" + Long.toHexString(value);
  }
}
