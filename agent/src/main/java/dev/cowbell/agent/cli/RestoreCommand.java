package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.restore.PointChoice;
import dev.cowbell.agent.restore.Restore;
import dev.cowbell.agent.restore.RestorePlan;
import dev.cowbell.agent.restore.RestorePlan.DiskTarget;
import dev.cowbell.agent.restore.RestoreRequest;
import dev.cowbell.agent.restore.RestoreRequest.Existing;
import dev.cowbell.agent.restore.RestoreRequest.Format;
import dev.cowbell.agent.restore.RestoreRequest.Tracking;
import dev.cowbell.qcow2.crypto.Passphrase;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code cowbell restore}. */
@Command(name = "restore", description = "Rebuilds disks as they were at a restore point.")
final class RestoreCommand extends CowbellCommand {

  /** A point is named or dated, not both. */
  static final class Which {
    @Option(
        names = "--point",
        paramLabel = "ID|latest",
        description = "The point; the beginning of its id will do. Default: latest.")
    private @Nullable String point;

    @Option(
        names = "--at",
        paramLabel = "TIME",
        description = "The newest point that is not younger than this, in ISO 8601.")
    private @Nullable Instant at;

    private PointChoice choice() {
      return at == null
          ? new PointChoice.Named(point == null ? "latest" : point)
          : new PointChoice.At(at);
    }
  }

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(names = "--vm", paramLabel = "NAME", required = true, description = "Whose disks.")
  private String vm = "";

  @ArgGroup private Which which = new Which();

  @Option(names = "--disk", paramLabel = "NAME", description = "Only this disk.")
  private @Nullable String disk;

  @Option(
      names = "--to",
      paramLabel = "PATH",
      required = true,
      description = "A file, a block device, or a directory when there are several disks.")
  private String to = "";

  @Option(names = "--format", paramLabel = "raw|qcow2", description = "Default: raw.")
  private Format format = Format.RAW;

  @Option(names = "--overwrite", description = "Replace files that are there.")
  private boolean overwrite;

  @Option(
      names = "--track",
      description = "Give a qcow2 result the point's bitmap: its first backup is incremental.")
  private boolean track;

  @Option(
      names = "--encrypt",
      description = "Make a qcow2 result a LUKS image, as QEMU makes them by default.")
  private boolean encrypt;

  @Option(
      names = "--passphrase-file",
      paramLabel = "FILE",
      description = "With --encrypt: what is to open it; each byte counts, a newline too.")
  private @Nullable Path passphraseFile;

  @Override
  protected ExitCode run() throws Exception {
    if (encrypt != (passphraseFile != null)) {
      throw CommandFailedException.usage("--encrypt and --passphrase-file need each other");
    }
    Optional<Passphrase> passphrase = PassphraseFile.readIfGiven(passphraseFile, console());
    try (Passphrase _ = passphrase.orElse(null)) {
      return run(passphrase);
    }
  }

  private ExitCode run(Optional<Passphrase> passphrase) throws Exception {
    RestoreRequest request =
        new RestoreRequest(
            Arguments.vm(vm),
            which.choice(),
            disk == null ? Optional.empty() : Optional.of(Arguments.disk(disk)),
            Arguments.path(to),
            format,
            overwrite ? Existing.OVERWRITE : Existing.REFUSE,
            track ? Tracking.ADD : Tracking.NONE,
            passphrase);
    try (Repository open = repository.openForReading(console())) {
      RestorePlan done = new Restore(open, progress(), cancellation()).run(request);
      if (output.isJson()) {
        JsonOutput.print(console().out(), json -> write(json, done));
      } else {
        print(done);
      }
      if (!encrypt) {
        warnOfPlainDisks(done);
      }
    }
    return ExitCode.DONE;
  }

  private void warnOfPlainDisks(RestorePlan done) {
    for (DiskTarget target : done.disks()) {
      if (target.chain().top().record().source().encryption().isPresent()) {
        console()
            .warn(
                "disk %s was encrypted when it was backed up, %s is not; --encrypt makes it so"
                    .formatted(target.chain().disk(), target.target().path()));
      }
    }
  }

  private void print(RestorePlan done) {
    for (DiskTarget target : done.disks()) {
      console()
          .out()
          .printf(
              "Restored disk %s of point %s, %s, to %s%n",
              target.chain().disk(),
              done.point().point(),
              ByteSize.human(target.size()),
              target.target().path());
    }
  }

  private static void write(JsonGenerator json, RestorePlan done) throws IOException {
    json.writeStartObject();
    json.writeStringField("vm", done.point().vm().value());
    json.writeStringField("point", done.point().point().value());
    json.writeStringField("time", done.point().time().toString());
    json.writeArrayFieldStart("disks");
    for (DiskTarget target : done.disks()) {
      json.writeStartObject();
      json.writeStringField("name", target.chain().disk().value());
      json.writeNumberField("virtualSize", target.size());
      json.writeNumberField("chainLength", target.chain().length());
      json.writeStringField("path", target.target().path().toString());
      json.writeStringField("format", target.format().word());
      if (target.tracking().isPresent()) {
        json.writeStringField("bitmap", target.tracking().get().bitmap());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }
}
