package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.BackupPlan;
import dev.cowbell.agent.backup.BackupPlan.DiskPlan;
import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.backup.BackupRequest.Extent;
import dev.cowbell.agent.backup.BackupResult;
import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.source.Decryption;
import dev.cowbell.agent.source.HostName;
import dev.cowbell.agent.source.ImageFormat;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cowbell backup}. */
@Command(
    name = "backup",
    description =
        "Makes a restore point of images that no VM has open: of what changed since the last.")
final class BackupCommand extends CowbellCommand {

  private static final String AUTO = "auto";

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(
      names = "--vm",
      paramLabel = "NAME",
      required = true,
      description = "Whose disks they are.")
  private String vm = "";

  @Parameters(
      paramLabel = "[DISK=]IMAGE",
      arity = "1..*",
      description = "An image, and its disk's name; by default the file's name without extension.")
  private List<String> images = List.of();

  @Option(names = "--full", description = "Copy everything, whatever is known of changes.")
  private boolean full;

  @Option(
      names = "--bitmap",
      paramLabel = "auto|NAME",
      description = {
        "auto: Cowbell's own bitmap tells what changed. NAME: a bitmap of your own,",
        "which by your word holds every change since the disk's newest point."
      })
  private String bitmap = AUTO;

  @Option(
      names = "--snapshot",
      paramLabel = "SNAP",
      description = "Back up this internal snapshot, named by id or name.")
  private @Nullable String snapshot;

  @Option(
      names = "--format",
      paramLabel = "qcow2|raw",
      description = "What the images are; by default what they begin with tells.")
  private @Nullable ImageFormat format;

  @Option(
      names = "--passphrase-file",
      paramLabel = "FILE",
      description = "Opens encrypted images; each byte of the file counts, a newline too.")
  private @Nullable Path passphraseFile;

  @Option(
      names = "--backing-passphrase-file",
      paramLabel = "FILE",
      description = "Opens the encrypted backing files of images.")
  private @Nullable Path backingPassphraseFile;

  @Option(
      names = "--store-decrypted",
      description = "Accept that what is stored of encrypted images is plain.")
  private boolean storeDecrypted;

  @Option(
      names = "--prove",
      paramLabel = "PERCENT",
      description = {
        "Compare so much of what the bitmap calls unchanged with digests of the last point;",
        "if it did change, everything is compared. 0 by default."
      })
  private double prove;

  @Option(names = "--label", paramLabel = "K=V", description = "Kept with the point; repeatable.")
  private Map<String, String> labels = new LinkedHashMap<>();

  @Option(names = "--dry-run", description = "Say what would be done, and why.")
  private boolean dryRun;

  @Override
  protected ExitCode run() throws Exception {
    try (PassphraseFile.Pair pair =
        PassphraseFile.Pair.read(passphraseFile, backingPassphraseFile, console())) {
      return run(
          new Decryption(
              pair.passphrases(),
              storeDecrypted ? Decryption.Storage.ACCEPTED : Decryption.Storage.REFUSED));
    }
  }

  private ExitCode run(Decryption decryption) throws Exception {
    BackupRequest request =
        new BackupRequest(
            Arguments.vm(vm),
            Arguments.disks(images, Optional.ofNullable(format)),
            Optional.ofNullable(snapshot),
            full ? Extent.FULL : Extent.AUTO,
            bitmap.equals(AUTO) ? Optional.empty() : Optional.of(bitmap),
            labels,
            decryption,
            prove);
    try (Repository open = repository.open(console())) {
      Backup backup = new Backup(open, settings());
      return dryRun ? printed(backup.plan(request)) : printed(backup.run(request));
    }
  }

  private BackupSettings settings() {
    return new BackupSettings(
        console().clock(),
        new PointIds(console().clock(), new SecureRandom()),
        HostName.current(),
        Version.current(),
        progress(),
        cancellation(),
        Moment.Observer.NONE);
  }

  private ExitCode printed(BackupPlan plan) throws IOException {
    if (output.isJson()) {
      JsonOutput.print(console().out(), json -> write(json, plan));
      return ExitCode.DONE;
    }
    PrintStream out = console().out();
    out.printf("Would make point %s of VM %s:%n", plan.point(), plan.vm());
    for (DiskPlan disk : plan.disks()) {
      out.printf(
          "  %s: %s, at most %s of %s to copy: %s%n",
          disk.disk(),
          disk.kind().word(),
          ByteSize.human(disk.copyBytes()),
          ByteSize.human(disk.size()),
          disk.verdict().reason());
      disk.tracking().ifPresent(t -> out.printf("    adds bitmap %s%n", t.bitmap()));
      disk.notes().forEach(note -> out.printf("    note: %s%n", note));
      disk.warnings().forEach(warning -> out.printf("    warning: %s%n", warning));
    }
    return ExitCode.DONE;
  }

  private static void write(JsonGenerator json, BackupPlan plan) throws IOException {
    json.writeStartObject();
    json.writeBooleanField("dryRun", true);
    json.writeStringField("vm", plan.vm().value());
    json.writeStringField("point", plan.point().value());
    json.writeArrayFieldStart("disks");
    for (DiskPlan disk : plan.disks()) {
      json.writeStartObject();
      json.writeStringField("name", disk.disk().value());
      json.writeNumberField("virtualSize", disk.size());
      json.writeStringField("kind", disk.kind().word());
      if (disk.parent().isPresent()) {
        json.writeStringField("parent", disk.parent().get().value());
      }
      json.writeStringField("reason", disk.verdict().reason());
      json.writeNumberField("bytesToCopy", disk.copyBytes());
      if (disk.tracking().isPresent()) {
        json.writeStringField("bitmap", disk.tracking().get().bitmap());
      }
      writeTexts(json, "notes", disk.notes());
      writeTexts(json, "warnings", disk.warnings());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private ExitCode printed(BackupResult result) throws IOException {
    if (output.isJson()) {
      JsonOutput.print(console().out(), json -> write(json, result));
    } else {
      print(result);
    }
    for (String warning : result.warnings()) {
      console().err().println("cowbell backup: warning: " + OneLine.of(warning));
    }
    return result.warnings().isEmpty() ? ExitCode.DONE : ExitCode.WARNINGS;
  }

  private void print(BackupResult result) {
    Manifest point = result.manifest();
    PrintStream out = console().out();
    out.printf("Point %s of VM %s: %s%n", point.point(), point.vm(), point.kind().word());
    for (DiskRecord disk : point.disks()) {
      out.printf(
          "  %s: %s, %s stored for %s of %s: %s%n",
          disk.name(),
          disk.kind().word(),
          ByteSize.human(disk.overlay().size()),
          ByteSize.human(disk.counts().changedBytes()),
          ByteSize.human(disk.virtualSize()),
          disk.reason());
    }
    if (!isQuiet()) {
      result.notes().forEach(note -> out.println("  note: " + OneLine.of(note)));
    }
  }

  private static void write(JsonGenerator json, BackupResult result) throws IOException {
    Manifest point = result.manifest();
    json.writeStartObject();
    json.writeStringField("vm", point.vm().value());
    json.writeStringField("point", point.point().value());
    json.writeStringField("time", point.time().toString());
    json.writeStringField("kind", point.kind().word());
    json.writeNumberField("storedBytes", point.storedBytes());
    json.writeNumberField("changedBytes", point.changedBytes());
    json.writeArrayFieldStart("disks");
    for (DiskRecord disk : point.disks()) {
      PointsCommand.write(json, disk);
    }
    json.writeEndArray();
    writeTexts(json, "notes", result.notes());
    writeTexts(json, "warnings", result.warnings());
    json.writeEndObject();
  }

  private static void writeTexts(JsonGenerator json, String name, List<String> texts)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (String text : texts) {
      json.writeString(text);
    }
    json.writeEndArray();
  }
}
