package dev.cowbell.agent.status;

import com.samskivert.mustache.Mustache;
import com.samskivert.mustache.Template;
import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.schedule.ForeseenRuns;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * The pages that people look at. Everything that comes from a repository or the configuration is
 * escaped by the templates; the pages load nothing from elsewhere.
 */
final class StatusPage {

  private static final int NEXT_RUNS = 3;
  private static final int RECENT = 20;
  private static final int CHART_WIDTH = 720;
  private static final int CHART_HEIGHT = 120;
  private static final int MAX_BARS = 240;
  private static final int STEP = 26;

  private final Template overview = template("overview");
  private final Template vm = template("vm");

  private static Template template(String name) {
    try (Reader reader = reader(name)) {
      return Mustache.compiler()
          .defaultValue("")
          .emptyStringIsFalse(true)
          .withLoader(StatusPage::reader)
          .compile(reader);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Reader reader(String name) {
    return new InputStreamReader(
        Objects.requireNonNull(
            StatusPage.class.getResourceAsStream(name + ".mustache"), () -> "template " + name),
        StandardCharsets.UTF_8);
  }

  /** The page of all VMs. */
  String overview(Snapshot now) {
    Map<String, Object> page = page(now, "Cowbell");
    page.put("running", now.running().stream().map(run -> running(run, now)).toList());
    page.put("idle", now.running().isEmpty());
    List<Map<String, Object>> vms = new ArrayList<>();
    for (int i = 0; i < now.vms().size(); i++) {
      vms.add(vm(now.vms().get(i), i, now));
    }
    page.put("vms", vms);
    page.put("jobs", now.configuration().jobs().values().stream().map(j -> job(j, now)).toList());
    page.put("ended", now.ended().stream().limit(RECENT).map(run -> ended(run, now)).toList());
    page.put("nothingEnded", now.ended().isEmpty());
    return overview.execute(page);
  }

  /** The page of one VM in one repository. */
  String vm(Snapshot now, VmView view) {
    Map<String, Object> page = page(now, view.vm().value() + " · Cowbell");
    page.putAll(vm(view, 0, now));
    page.put("bars", bars(view, now));
    page.put("chartWidth", CHART_WIDTH);
    page.put("chartHeight", CHART_HEIGHT);
    page.put("chain", chain(view, now));
    page.put("chainWidth", Math.max(1, Math.min(view.points().size(), MAX_BARS)) * STEP + 8);
    page.put("points", view.points().reversed().stream().map(p -> point(p, now)).toList());
    return vm.execute(page);
  }

  private static Map<String, Object> page(Snapshot now, String title) {
    Map<String, Object> page = new HashMap<>();
    page.put("title", title);
    page.put("agent", now.agent());
    page.put("now", time(now.at(), now.zone()));
    page.put("zone", name(now.zone()));
    page.put("version", now.version());
    return page;
  }

  private static Map<String, Object> vm(VmView view, int index, Snapshot now) {
    Map<String, Object> vm = new HashMap<>();
    vm.put("name", view.vm().value());
    vm.put("repository", view.repository());
    vm.put("link", "/vm/" + index);
    int count = view.points().size();
    vm.put("count", count == 1 ? "1 point" : count + " points");
    vm.put("stored", Words.bytes(view.storedBytes()));
    vm.put("problem", view.problem().orElse(""));
    vm.put("unreadable", view.unreadable() == 0 ? "" : view.unreadable());
    vm.put(
        "age",
        view.newest()
            .map(newest -> Words.duration(Duration.between(newest.time(), now.at())) + " ago")
            .orElse("never"));
    vm.put("health", Health.of(view, now.configuration().jobs().values(), now.at()).word());
    vm.put(
        "chain",
        view.newest()
            .map(newest -> newest.chain().isPresent() ? "" + newest.chain().getAsInt() : "broken")
            .orElse(""));
    vm.put(
        "days",
        Calendar.of(view.points(), now.at(), now.zone()).days().stream()
            .map(day ->
                Map.of(
                    "x",
                    day.week() * 13,
                    "y",
                    day.weekday() * 13,
                    "level",
                    day.level(),
                    "title",
                    day.date()
                        + (day.points() == 0
                            ? ": no restore point"
                            : ": %d restore point%s%s"
                                .formatted(
                                    day.points(),
                                    day.points() == 1 ? "" : "s",
                                    day.full() ? ", one full" : ""))))
            .toList());
    vm.put("calendarWidth", Calendar.WEEKS * 13);
    return vm;
  }

  private static Map<String, Object> running(RunBoard.Running run, Snapshot now) {
    return Map.of(
        "job", run.request().job().value(),
        "vm", run.request().vm().value(),
        "since", Words.duration(Duration.between(run.started(), now.at())),
        "what", run.what(),
        "percent", Math.max(0, run.percent()),
        "known", run.percent() >= 0,
        "attempt", run.request().attempt());
  }

  private static Map<String, Object> ended(RunView run, Snapshot now) {
    return Map.of(
        "job", run.request().job().value(),
        "vm", run.request().vm().value(),
        "when", time(run.started(), now.zone()),
        "took", Words.duration(run.took()),
        "outcome", run.outcome().name().toLowerCase(Locale.ROOT),
        "detail", run.detail(),
        "point", run.point().map(PointId::value).orElse(""));
  }

  private static Map<String, Object> job(Configuration.Job job, Snapshot now) {
    Map<String, Object> view = new HashMap<>();
    view.put("name", job.spec().name().value());
    view.put("schedule", job.spec().timing().shown());
    view.put("zone", name(job.spec().timing().zone()));
    view.put("vms", String.join(", ", job.spec().vms().stream().map(Object::toString).toList()));
    view.put(
        "keeps",
        job.verification()
            .map(verification -> "verifies " + verification)
            .orElseGet(() -> job.retention().map(Object::toString).orElse("everything")));
    view.put(
        "next",
        ForeseenRuns.of(job.spec(), now.at(), NEXT_RUNS).stream()
            .map(due -> time(due, job.spec().timing().zone()))
            .toList());
    return view;
  }

  private static Map<String, Object> point(PointView point, Snapshot now) {
    Map<String, Object> view = new HashMap<>();
    view.put("id", point.id().value());
    view.put("time", time(point.time(), now.zone()));
    view.put("kind", point.full() ? "full" : "incremental");
    view.put("stored", Words.bytes(point.storedBytes()));
    view.put("changed", Words.bytes(point.changedBytes()));
    view.put("length", point.chain().isPresent() ? "" + point.chain().getAsInt() : "broken");
    view.put("pinned", point.pinned());
    view.put(
        "labels",
        String.join(
            " ",
            point.labels().entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).toList()));
    return view;
  }

  private static List<PointView> shown(VmView view) {
    int size = view.points().size();
    return view.points().subList(Math.max(0, size - MAX_BARS), size);
  }

  /** The stored size of each point, as bars over time; heights are relative to the largest. */
  private static List<Map<String, Object>> bars(VmView view, Snapshot now) {
    List<PointView> points = shown(view);
    long largest = Math.max(1, points.stream().mapToLong(PointView::storedBytes).max().orElse(1));
    double width = Math.min(STEP, (double) CHART_WIDTH / Math.max(1, points.size()));
    List<Map<String, Object>> bars = new ArrayList<>();
    for (int i = 0; i < points.size(); i++) {
      PointView point = points.get(i);
      // the square root keeps small increments visible beside a full
      double height = Math.max(2, CHART_HEIGHT * Math.sqrt((double) point.storedBytes() / largest));
      bars.add(
          Map.of(
              "x", number(i * width),
              "y", number(CHART_HEIGHT - height),
              "width", number(Math.max(1, width - 1)),
              "height", number(height),
              "kind", point.full() ? "full" : "some",
              "title",
                  "%s: %s stored"
                      .formatted(
                          time(point.time(), now.zone()), Words.bytes(point.storedBytes()))));
    }
    return bars;
  }

  /** Points from old to new with an arc from each to the one it builds upon. */
  private static Map<String, Object> chain(VmView view, Snapshot now) {
    List<PointView> points = shown(view);
    Map<PointId, Integer> at = new HashMap<>();
    for (int i = 0; i < points.size(); i++) {
      at.put(points.get(i).id(), i);
    }
    List<Map<String, Object>> nodes = new ArrayList<>();
    List<Map<String, Object>> arcs = new ArrayList<>();
    for (int i = 0; i < points.size(); i++) {
      PointView point = points.get(i);
      int x = i * STEP + 14;
      nodes.add(
          Map.of(
              "x",
              x,
              "full",
              point.full(),
              "kind",
              point.chain().isEmpty() ? "broken" : point.full() ? "full" : "some",
              "left",
              x - 7,
              "title",
              "%s, %s, %s"
                  .formatted(
                      point.id(),
                      time(point.time(), now.zone()),
                      Words.bytes(point.storedBytes()))));
      Integer parent = point.parent().map(at::get).orElse(null);
      if (parent != null) {
        int from = parent * STEP + 14;
        arcs.add(Map.of("from", from, "to", x, "middle", (from + x) / 2, "top", top(i - parent)));
      }
    }
    return Map.of("nodes", nodes, "arcs", arcs);
  }

  private static int top(int distance) {
    return Math.max(-30, 40 - 14 * distance);
  }

  private static String name(ZoneId zone) {
    return zone.getId().equals("Z") ? "UTC" : zone.getId();
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  private static String time(Instant at, ZoneId zone) {
    return DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm", Locale.ROOT).format(at.atZone(zone));
  }
}
