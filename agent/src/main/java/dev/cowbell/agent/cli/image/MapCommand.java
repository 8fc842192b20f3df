package dev.cowbell.agent.cli.image;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.JsonOutput;
import dev.cowbell.agent.cli.OutputFormat;
import dev.cowbell.qcow2.HoleAwareDisk;
import dev.cowbell.qcow2.MapEntry;
import dev.cowbell.qcow2.MappedDisk;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image map}: as {@code qemu-img map}. */
@Command(name = "map", description = "Says where each part of a disk is stored.")
final class MapCommand extends CowbellCommand {

  @Mixin private OutputFormat output;
  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format: qcow2 or raw.")
  private @Nullable String format;

  @Option(
      names = {"-s", "--start-offset"},
      paramLabel = "OFFSET",
      description = "Where to begin.")
  private ByteSize start = new ByteSize(0);

  @Option(
      names = {"-l", "--max-length"},
      paramLabel = "LENGTH",
      description = "How much to look at.")
  private ByteSize maxLength = new ByteSize(Long.MAX_VALUE);

  @Parameters(paramLabel = "FILE", description = "The image.")
  private Path file;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    try (MappedDisk image = rules.open(file, format)) {
      MappedDisk disk = HoleAwareDisk.over(image, image);
      long from = Math.min(start.bytes(), disk.size());
      long length = Math.min(maxLength.bytes(), disk.size() - from);
      if (output.isJson()) {
        JsonOutput.print(
            console().out(),
            json -> {
              json.writeStartArray();
              disk.map(from, length, entry -> printJson(json, entry));
              json.writeEndArray();
            });
      } else {
        printText(disk, from, length);
      }
    }
    return ExitCode.DONE;
  }

  private void printJson(JsonGenerator json, MapEntry entry) throws IOException {
    cancellation().check();
    json.writeStartObject();
    json.writeNumberField("start", entry.start());
    json.writeNumberField("length", entry.length());
    json.writeNumberField("depth", entry.depth());
    json.writeBooleanField("present", entry.present());
    json.writeBooleanField("zero", entry.zero());
    json.writeBooleanField("data", entry.data());
    if (entry.offset().isPresent()) {
      json.writeNumberField("offset", entry.offset().getAsLong());
    }
    json.writeEndObject();
  }

  /** As qemu-img: only what is stored, and nothing that has no place of its own in a file. */
  private void printText(MappedDisk disk, long from, long length)
      throws IOException, CommandFailedException {
    PrintStream out = console().out();
    out.printf("%-16s%-16s%-16s%s%n", "Offset", "Length", "Mapped to", "File");
    boolean[] compressed = new boolean[1];
    disk.map(
        from,
        length,
        entry -> {
          cancellation().check();
          if (entry.data() && !entry.zero() && entry.offset().isPresent()) {
            out.printf(
                "%-16s%-16s%-16s%s%n",
                hex(entry.start()),
                hex(entry.length()),
                hex(entry.offset().getAsLong()),
                entry.file().orElse(""));
          }
          compressed[0] |= entry.compressed();
        });
    if (compressed[0]) {
      throw CommandFailedException.because(
              ExitCode.FAILED, file + ": has compressed clusters, which are at no single place")
          .hint("use --json");
    }
  }

  /** As C's {@code %#x}, which shows 0 without a prefix. */
  private static String hex(long value) {
    return value == 0 ? "0" : "0x" + Long.toHexString(value);
  }
}
