package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.JsonOutput;
import dev.cowbell.agent.cli.OutputFormat;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.snapshot.SnapshotEditor;
import dev.cowbell.qcow2.snapshot.SnapshotTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image snapshot}: as {@code qemu-img snapshot}. */
@Command(
    name = "snapshot",
    description = {
      "Lists, creates, applies or deletes internal snapshots of an image that nobody has open.",
      "SNAPSHOT is an id, else a name, or snapshot.id=ID or snapshot.name=NAME."
    })
final class SnapshotCommand extends CowbellCommand {

  @Mixin private OutputFormat output;
  @Mixin private OpenRules rules;

  @ArgGroup(multiplicity = "1")
  private Action action = new Action();

  @Option(
      names = "-f",
      paramLabel = "FMT",
      description = "The image's format: qcow2, or raw, which has no snapshots.")
  private @Nullable String format;

  @Parameters(paramLabel = "FILE", description = "The image.")
  private Path file;

  /** What is to be done; exactly one. */
  private static final class Action {
    @Option(names = "-l", required = true, description = "List the snapshots.")
    private boolean list;

    @Option(
        names = "-c",
        required = true,
        paramLabel = "NAME",
        description = "Make a snapshot of what the disk holds now.")
    private @Nullable String create;

    @Option(
        names = "-a",
        required = true,
        paramLabel = "SNAPSHOT",
        description = "Make the disk hold what a snapshot holds, whatever it holds now.")
    private @Nullable String apply;

    @Option(
        names = "-d",
        required = true,
        paramLabel = "SNAPSHOT",
        description = "Delete a snapshot.")
    private @Nullable String delete;
  }

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (action.list) {
      list();
      return ExitCode.DONE;
    }
    refuseOtherFormats();
    try (SnapshotEditor editor = SnapshotEditor.open(file)) {
      if (action.create != null) {
        editor.create(NewSnapshot.named(action.create, console().clock().instant()));
      } else if (action.apply != null) {
        editor.apply(action.apply);
      } else if (action.delete != null) {
        refuseAmbiguous(editor.snapshots(), action.delete);
        editor.delete(action.delete);
      }
    }
    return ExitCode.DONE;
  }

  private void list() throws IOException, CommandFailedException {
    List<SnapshotEntry> snapshots;
    try (MappedDisk disk = rules.open(file, format, rules.metadataOnly())) {
      snapshots = disk instanceof Qcow2Image image ? image.snapshots().entries() : List.of();
    }
    if (output.isJson()) {
      JsonOutput.print(
          console().out(),
          json -> {
            json.writeStartObject();
            InfoJson.snapshots(json, snapshots);
            json.writeEndObject();
          });
    } else {
      SnapshotText.print(console().out(), console().zone().get(), snapshots);
    }
  }

  private void refuseOtherFormats() throws CommandFailedException {
    if (format != null && !format.equals("qcow2")) {
      throw CommandFailedException.because(
          ExitCode.FAILED,
          "%s: the format %s has no internal snapshots, only qcow2 has".formatted(file, format));
    }
  }

  /** qemu-img takes a name first to delete by; where an id says something else, ask. */
  private static void refuseAmbiguous(SnapshotTable snapshots, String wanted)
      throws CommandFailedException {
    Optional<SnapshotEntry> byId = snapshots.byId(wanted);
    Optional<SnapshotEntry> byName = snapshots.byName(wanted);
    if (byId.isPresent() && byName.isPresent() && !byId.equals(byName)) {
      throw CommandFailedException.usage(
              "%s is the id of one snapshot and the name of another".formatted(wanted))
          .hint("say snapshot.id=" + wanted + " or snapshot.name=" + wanted);
    }
  }
}
