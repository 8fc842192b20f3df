package dev.cowbell.agent.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.agent.prune.MergeCost;
import dev.cowbell.agent.prune.PointFate;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.prune.PruneReport;
import dev.cowbell.agent.prune.PruneReport.MergeDone;
import dev.cowbell.agent.prune.PruneRequest;
import dev.cowbell.agent.prune.PruneSettings;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.CalendarPeriod;
import dev.cowbell.agent.retention.CalendarSpan;
import dev.cowbell.agent.retention.LabelSelector;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.agent.source.HostName;
import dev.cowbell.qcow2.overlay.MergeLimits;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code cowbell prune}. */
@Command(
    name = "prune",
    description = {
      "Removes the points that no rule keeps; what others need of them is merged into those.",
      "Without a rule every point stays. Also clears what interrupted runs left."
    })
final class PruneCommand extends CowbellCommand {

  @Mixin private RepositoryOption repository;
  @Mixin private OutputFormat output;

  @Option(names = "--vm", paramLabel = "NAME", description = "Only this VM's points.")
  private @Nullable String vm;

  @Option(names = "--keep-last", paramLabel = "N", description = "Keep the N newest.")
  private int last;

  @Option(names = "--keep-hourly", paramLabel = "N", description = "Keep one of each of N hours.")
  private int hourly;

  @Option(names = "--keep-daily", paramLabel = "N", description = "Keep one of each of N days.")
  private int daily;

  @Option(names = "--keep-weekly", paramLabel = "N", description = "Keep one of each of N weeks.")
  private int weekly;

  @Option(names = "--keep-monthly", paramLabel = "N", description = "Keep one of each of N months.")
  private int monthly;

  @Option(names = "--keep-yearly", paramLabel = "N", description = "Keep one of each of N years.")
  private int yearly;

  @Option(
      names = "--keep-within",
      paramLabel = "SPAN",
      description = "Keep what is at most so much older than the newest: 30d, 1y6mo, 36h.")
  private @Nullable CalendarSpan within;

  @Option(
      names = "--keep-label",
      paramLabel = "K[=V]",
      description = "Keep points with this label; repeatable.")
  private List<String> labels = List.of();

  @Option(
      names = "--keep-at-least",
      paramLabel = "N",
      description = "Keep N good points in any case, 1 by default; 0 lets the last one go.")
  private int minimum = 1;

  @Option(
      names = "--max-chain",
      paramLabel = "N",
      description = "Let no point consist of more than N overlays.")
  private @Nullable Integer maxChain;

  @Option(
      names = "--time-zone",
      paramLabel = "ZONE",
      description = "Whose hours and days are meant; by default this machine's.")
  private @Nullable ZoneId zone;

  @Option(
      names = "--sweep-after",
      paramLabel = "SPAN",
      description = "How old leftovers of interrupted runs must be to be removed; by default 24h.")
  private CalendarSpan sweepAfter = CalendarSpan.parse("24h");

  @Option(names = "--dry-run", description = "Say what would be done, why, and at what cost.")
  private boolean dryRun;

  @Override
  protected ExitCode run() throws Exception {
    PruneRequest request = request();
    try (Repository open = repository.open(console())) {
      if (!open.store().capabilities().conditionalPut()) {
        console()
            .warn(
                "this store has no conditional writes: leases can't keep two writers apart, so"
                    + " never let two run at once");
      }
      List<VmName> vms = vm == null ? open.vms() : List.of(Arguments.vm(vm));
      Prune prune = new Prune(open, settings());
      List<PruneReport> reports = new ArrayList<>();
      for (VmName name : vms) {
        reports.add(dryRun ? prune.plan(name, request) : prune.run(name, request));
      }
      print(reports);
      return reports.stream().allMatch(r -> r.problems().isEmpty())
          ? ExitCode.DONE
          : ExitCode.WARNINGS;
    }
  }

  private PruneSettings settings() {
    return new PruneSettings(
        console().clock(),
        HostName.current(),
        MergeLimits.USUAL,
        progress(),
        cancellation(),
        PruneMoment.Observer.NONE);
  }

  private PruneRequest request() throws CommandFailedException {
    try {
      Map<CalendarPeriod, Integer> periods = new EnumMap<>(CalendarPeriod.class);
      put(periods, CalendarPeriod.HOURLY, hourly);
      put(periods, CalendarPeriod.DAILY, daily);
      put(periods, CalendarPeriod.WEEKLY, weekly);
      put(periods, CalendarPeriod.MONTHLY, monthly);
      put(periods, CalendarPeriod.YEARLY, yearly);
      ZoneId here = zone != null ? zone : console().zone().get();
      return new PruneRequest(
          new RetentionPolicy(
              last,
              periods,
              Optional.ofNullable(within),
              labels.stream().map(LabelSelector::parse).toList(),
              minimum,
              here),
          maxChain == null ? OptionalInt.empty() : OptionalInt.of(maxChain),
          age(here));
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(String.valueOf(e.getMessage()));
    }
  }

  private Duration age(ZoneId here) {
    var now = console().clock().instant();
    return Duration.between(sweepAfter.before(now, here), now);
  }

  private static void put(Map<CalendarPeriod, Integer> periods, CalendarPeriod period, int count) {
    if (count != 0) {
      periods.put(period, count);
    }
  }

  private void print(List<PruneReport> reports) throws IOException {
    if (output.isJson()) {
      JsonOutput.print(
          console().out(),
          json -> {
            json.writeStartObject();
            json.writeBooleanField("dryRun", dryRun);
            json.writeArrayFieldStart("vms");
            for (PruneReport report : reports) {
              write(json, report);
            }
            json.writeEndArray();
            json.writeEndObject();
          });
    } else {
      reports.forEach(this::print);
    }
    for (PruneReport report : reports) {
      report
          .problems()
          .forEach(
              problem -> console().err().println("cowbell prune: warning: " + OneLine.of(problem)));
    }
  }

  private void print(PruneReport report) {
    PrintStream out = console().out();
    out.println("VM " + report.plan().vm() + (dryRun ? ": nothing is done" : "") + ":");
    if (!isQuiet()) {
      report.plan().fates().forEach(fate -> out.println("  " + OneLine.of(fate.toString())));
      for (MergeDone done : report.merges()) {
        out.printf(
            "  disk %s of %s %s%n    %s%n",
            done.merge().disk(),
            done.merge().target(),
            OneLine.of(done.merge().reason()),
            text(done.cost()));
      }
      report.sweptObjects().forEach(key -> out.println("  left behind: " + key));
    }
    out.printf(
        "  %d kept, %d %s, %d %s: %s; %d leftovers%n",
        report.plan().fates().stream().filter(f -> f.kind() == PointFate.Kind.KEEP).count(),
        report.removed().size(),
        dryRun ? "to remove" : "removed",
        report.merges().size(),
        dryRun ? "to merge" : "merged",
        text(report.cost()),
        report.sweptObjects().size() + report.sweptUploads());
  }

  private static String text(MergeCost cost) {
    return "%s copied in the store, %s through here, %d requests"
        .formatted(
            ByteSize.human(cost.copiedBytes()), ByteSize.human(cost.agentBytes()), cost.requests());
  }

  private static void write(JsonGenerator json, PruneReport report) throws IOException {
    json.writeStartObject();
    json.writeStringField("vm", report.plan().vm().value());
    json.writeArrayFieldStart("points");
    for (PointFate fate : report.plan().fates()) {
      json.writeStartObject();
      json.writeStringField("point", fate.point().value());
      json.writeStringField("time", fate.time().toString());
      json.writeStringField("verdict", fate.kind().word());
      texts(json, "reasons", fate.reasons());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("merges");
    for (MergeDone done : report.merges()) {
      json.writeStartObject();
      json.writeStringField("disk", done.merge().disk().value());
      json.writeStringField("point", done.merge().target().value());
      if (done.merge().parent().isPresent()) {
        json.writeStringField("parent", done.merge().parent().get().value());
      }
      texts(json, "absorbed", done.merge().absorbed().stream().map(PointId::value).toList());
      json.writeStringField("reason", done.merge().reason());
      write(json, done.cost());
      json.writeEndObject();
    }
    json.writeEndArray();
    texts(json, "removed", report.removed().stream().map(PointId::value).toList());
    json.writeObjectFieldStart("cost");
    write(json, report.cost());
    json.writeEndObject();
    texts(json, "leftovers", report.sweptObjects().stream().map(ObjectKey::value).toList());
    json.writeNumberField("uploadsCleared", report.sweptUploads());
    texts(json, "problems", report.problems());
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, MergeCost cost) throws IOException {
    json.writeNumberField("bytesCopiedInStore", cost.copiedBytes());
    json.writeNumberField("bytesThroughAgent", cost.agentBytes());
    json.writeNumberField("requests", cost.requests());
    json.writeNumberField("resultBytes", cost.resultBytes());
  }

  private static void texts(JsonGenerator json, String name, List<String> texts)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (String text : texts) {
      json.writeString(text);
    }
    json.writeEndArray();
  }
}
