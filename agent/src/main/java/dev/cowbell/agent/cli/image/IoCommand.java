package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.diskio.IoDisk;
import dev.cowbell.agent.diskio.IoShell;
import dev.cowbell.agent.diskio.Qcow2IoDisk;
import dev.cowbell.agent.diskio.RawIoDisk;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image io}: as {@code qemu-io}. */
@Command(
    name = "io",
    description = "Reads and writes a disk by commands: read, write, discard, map, … (-c help).")
final class IoCommand extends CowbellCommand {

  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format: qcow2 or raw.")
  private @Nullable String format;

  @Option(
      names = {"-r", "--read-only"},
      description = "Open the image for reading only.")
  private boolean readOnly;

  @Option(
      names = {"-c", "--cmd"},
      paramLabel = "CMD",
      description = "Run a command; several one after another. Without: from standard input.")
  private List<String> commands = List.of();

  @Parameters(paramLabel = "FILE", description = "The image.")
  private Path file;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    boolean failed;
    try (IoDisk disk = open()) {
      IoShell shell =
          new IoShell(
              disk,
              console().out(),
              complaint -> console().complain("cowbell image io", complaint));
      if (commands.isEmpty()) {
        converse(shell);
      }
      for (String command : commands) {
        if (!shell.hasEnded()) {
          cancellation().check();
          shell.run(command);
        }
      }
      failed = shell.hasFailed();
    }
    return failed ? ExitCode.FAILED : ExitCode.DONE;
  }

  private void converse(IoShell shell) throws IOException {
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    while (!shell.hasEnded()) {
      console().out().print("qemu-io> ");
      console().out().flush();
      String line = in.readLine();
      if (line == null) {
        return;
      }
      shell.run(line);
    }
  }

  private IoDisk open() throws IOException, CommandFailedException {
    Access access = readOnly ? Access.READ_ONLY : Access.READ_WRITE;
    OpenOptions options = readOnly ? rules.options() : rules.writing();
    MappedDisk disk = rules.open(file, format, options);
    return switch (disk) {
      case Qcow2Image image -> new Qcow2IoDisk(image, access, () -> specifics(image));
      case RawDisk raw -> new RawIoDisk(raw, !readOnly);
      default -> throw new IllegalStateException("neither qcow2 nor raw: " + disk);
    };
  }

  private List<String> specifics(Qcow2Image image) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PrintStream lines = new PrintStream(bytes, false, StandardCharsets.UTF_8)) {
      ImageFacts facts = ImageFacts.of(image);
      new InfoText(lines, console().zone().get()).specifics(facts, facts.qcow2().orElseThrow());
    }
    return bytes.toString(StandardCharsets.UTF_8).lines().toList();
  }
}
