package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.JsonOutput;
import dev.cowbell.agent.cli.OutputFormat;
import dev.cowbell.qcow2.check.CheckReport;
import dev.cowbell.qcow2.check.Finding;
import dev.cowbell.qcow2.check.ImageCheck;
import dev.cowbell.qcow2.check.ImageRepair;
import dev.cowbell.qcow2.check.Repair;
import dev.cowbell.qcow2.check.RepairListener;
import dev.cowbell.qcow2.check.RepairMode;
import dev.cowbell.qcow2.check.RepairReport;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.HostIo;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image check}: as {@code qemu-img check}, its exit codes and image locks included. */
@Command(
    name = "check",
    description = {
      "Checks a qcow2 image; its backing file is not looked at.",
      "Exit codes: 0 clean, 1 the check failed, 2 corrupt, 3 only leaks."
    })
final class CheckCommand extends CowbellCommand {

  /** A badly damaged image has millions of findings. */
  private static final long MAX_SHOWN = 1000;

  @Mixin private OutputFormat output;

  @Option(
      names = "-f",
      paramLabel = "FMT",
      description = "The image's format; only qcow2 has checks.")
  private String format = "qcow2";

  @Option(
      names = "--passphrase-file",
      paramLabel = "FILE",
      description = "Accepted for an encrypted image, and not needed: no data is looked at.")
  @SuppressWarnings("UnusedVariable") // it changes nothing here
  private @Nullable Path passphraseFile;

  @Option(
      names = "-T",
      paramLabel = "CACHE",
      description = "How the image is read: writeback (default); past the host's cache: none.")
  private String cache = "writeback";

  @Parameters(paramLabel = "FILE", description = "The image.")
  private Path file;

  @Option(
      names = {"-r", "--repair"},
      paramLabel = "leaks|all",
      description = "Repairs leaks, or all that can be repaired; guest data is never changed.")
  private @Nullable String repair;

  @Option(
      names = {"-U", "--force-share"},
      description = "Check an image that another process may be writing to.")
  private boolean forceShare;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (!format.equals("qcow2")) {
      throw CommandFailedException.because(
          ExitCode.FAILED, file + ": the format " + format + " does not support checks");
    }
    Optional<RepairMode> mode = repairMode();
    Findings findings = new Findings();
    RepairReport result;
    HostIo io = CacheMode.of("-T", cache).io();
    try (HostFile image = io.open(file, use(mode.isPresent()))) {
      if (mode.isPresent()) {
        result = ImageRepair.repair(image, mode.get(), findings);
      } else {
        CheckReport report = ImageCheck.run(image, findings);
        result = new RepairReport(report, report, 0, 0);
      }
    }
    findings.sayHowManyMore();
    CheckReport report = result.after();
    if (output.isJson()) {
      printJson(result);
    } else if (!isQuiet()) {
      printRepaired(console().out(), result);
      printText(console().out(), report);
    }
    return switch (report.verdict()) {
      case CLEAN -> ExitCode.DONE;
      case INCOMPLETE -> ExitCode.FAILED;
      case CORRUPT -> ExitCode.CHECK_CORRUPT;
      case LEAKS -> ExitCode.CHECK_LEAKS;
    };
  }

  private Optional<RepairMode> repairMode() throws CommandFailedException {
    if (repair == null) {
      return Optional.empty();
    }
    if (forceShare) {
      throw CommandFailedException.because(
          ExitCode.FAILED, "-r needs the image for itself, which -U gives up");
    }
    return switch (repair) {
      case "leaks" -> Optional.of(RepairMode.LEAKS);
      case "all" -> Optional.of(RepairMode.ALL);
      default ->
          throw CommandFailedException.because(
              ExitCode.FAILED, "-r expects 'leaks' or 'all', not '%s'".formatted(repair));
    };
  }

  private ImageLock.Use use(boolean writes) {
    if (writes) {
      return ImageLock.Use.WRITE;
    }
    return forceShare ? ImageLock.Use.READ_UNSAFE : ImageLock.Use.READ;
  }

  /** Nothing but 2 may mean that the image is corrupt. */
  @Override
  protected ExitCode exitCodeOf(ExitCode usual) {
    return usual == ExitCode.INTERRUPTED ? usual : ExitCode.FAILED;
  }

  private final class Findings implements RepairListener {
    private long count;
    private long repairs;

    @Override
    public void found(Finding finding) {
      if (++count <= MAX_SHOWN) {
        console().err().println(finding.description());
      }
    }

    @Override
    public void repairing(Repair step) {
      if (++repairs <= MAX_SHOWN) {
        console().err().println(step.description());
      }
    }

    @Override
    public void between() throws IOException {
      cancellation().check();
    }

    void sayHowManyMore() {
      if (count > MAX_SHOWN) {
        console().err().println("... and " + (count - MAX_SHOWN) + " more findings");
      }
      if (repairs > MAX_SHOWN) {
        console().err().println("... and " + (repairs - MAX_SHOWN) + " more repairs");
      }
    }
  }

  private void printJson(RepairReport result) throws IOException {
    CheckReport report = result.after();
    JsonOutput.print(
        console().out(),
        json -> {
          json.writeStartObject();
          json.writeNumberField("image-end-offset", report.imageEndOffset());
          json.writeNumberField("total-clusters", report.totalClusters());
          json.writeNumberField("check-errors", report.checkErrors());
          json.writeStringField("filename", file.toString());
          json.writeStringField("format", "qcow2");
          // as qemu-img, which leaves out what is zero
          String[] names = {
            "corruptions",
            "leaks",
            "corruptions-fixed",
            "leaks-fixed",
            "allocated-clusters",
            "fragmented-clusters",
            "compressed-clusters"
          };
          long[] values = {
            report.corruptions(),
            report.leaks(),
            result.corruptionsFixed(),
            result.leaksFixed(),
            report.allocatedClusters(),
            report.fragmentedClusters(),
            report.compressedClusters()
          };
          for (int i = 0; i < names.length; i++) {
            if (values[i] != 0) {
              json.writeNumberField(names[i], values[i]);
            }
          }
          json.writeEndObject();
        });
  }

  private static void printRepaired(PrintStream out, RepairReport result) {
    if (result.fixedAnything()) {
      out.printf(
          "The following inconsistencies were found and repaired:%n%n"
              + "    %d leaked clusters%n    %d corruptions%n%n"
              + "Double checking the fixed image now...%n",
          result.leaksFixed(), result.corruptionsFixed());
    }
  }

  private static void printText(PrintStream out, CheckReport report) {
    if (report.verdict() == CheckReport.Verdict.CLEAN) {
      out.println("No errors were found on the image.");
    }
    if (report.corruptions() > 0) {
      out.printf(
          "%n%d errors were found on the image.%n"
              + "Data may be corrupted, or further writes to the image may corrupt it.%n",
          report.corruptions());
    }
    if (report.leaks() > 0) {
      out.printf(
          "%n%d leaked clusters were found on the image.%n"
              + "This means waste of disk space, but no harm to data.%n",
          report.leaks());
    }
    if (report.checkErrors() > 0) {
      out.printf("%n%d internal errors have occurred during the check.%n", report.checkErrors());
    }
    if (report.totalClusters() != 0 && report.allocatedClusters() != 0) {
      out.printf(
          "%d/%d = %s%% allocated, %s%% fragmented, %s%% compressed clusters%n",
          report.allocatedClusters(),
          report.totalClusters(),
          percent(report.allocatedClusters(), report.totalClusters()),
          percent(report.fragmentedClusters(), report.allocatedClusters()),
          percent(report.compressedClusters(), report.allocatedClusters()));
    }
    out.printf("Image end offset: %d%n", report.imageEndOffset());
  }

  private static String percent(long part, long whole) {
    return new BigDecimal(part * 100.0 / whole).setScale(2, RoundingMode.HALF_EVEN).toPlainString();
  }
}
