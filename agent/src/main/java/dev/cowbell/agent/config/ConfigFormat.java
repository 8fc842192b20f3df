package dev.cowbell.agent.config;

import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.config.Shapes.Located;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.CalendarPeriod;
import dev.cowbell.agent.retention.CalendarSpan;
import dev.cowbell.agent.retention.LabelSelector;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.agent.schedule.CronTiming;
import dev.cowbell.agent.schedule.IntervalTiming;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.MisfirePolicy;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.agent.schedule.Window;
import dev.cowbell.agent.verify.VerifyRequest;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** The format of the file, declared once: every section, its keys and their shapes. */
final class ConfigFormat {

  private static final int MAX_CHAIN_LENGTH = 10_000;
  private static final Shape<Integer> COUNT = Shapes.integer(1, RetentionPolicy.MAX_COUNT);

  private static final Key<RepositoryUrl> REPOSITORY_URL =
      Key.required(
          "url",
          Shapes.text("^(/|file:/|s3:)", RepositoryUrl::parse),
          "An absolute path, file:///path or s3://bucket/prefix?endpoint=…&region=…&path-style=true.");
  private static final Section<RepositoryUrl> REPOSITORY =
      Section.of(List.of(REPOSITORY_URL), fields -> fields.of(REPOSITORY_URL));

  private static final Key<Map<DiskName, Located<Path>>> VM_DISKS =
      Key.required(
          "disks",
          Shapes.map(
              1,
              Terms.NAME_PATTERN,
              Terms.checked(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, DiskName::new),
              Shapes.located(Terms.ABSOLUTE_PATH)),
          "Disk name to the path of its image; the VM is shut down while it is backed up.");
  private static final Section<Map<DiskName, Located<Path>>> VM =
      Section.of(List.of(VM_DISKS), fields -> fields.of(VM_DISKS));

  private static final Key<String> CRON =
      Key.optional(
          "cron",
          Shapes.text(
              "",
              text -> {
                CronTiming.parse(text, ZoneOffset.UTC);
                return text;
              }),
          "Five fields as in crontab(5), @daily and the like, or six or seven as Quartz has them.");
  private static final Key<Duration> EVERY =
      Key.optional(
          "every",
          Terms.duration(IntervalTiming.SHORTEST, IntervalTiming.LONGEST),
          "An interval such as 1h, counted from midnight and Monday, not from the agent's start.");
  private static final Key<ZoneId> SCHEDULE_ZONE =
      Key.optional("time-zone", Terms.ZONE, "The zone of this schedule; the agent's by default.");
  private static final Key<Duration> JITTER =
      Key.optional(
          "jitter",
          Terms.duration(Duration.ZERO, Terms.DAY),
          "Each VM starts up to this much later, at a moment of its own; none by default.");
  private static final Key<MisfirePolicy> MISFIRE =
      Key.optional(
          "missed",
          Shapes.choice(Map.of("run-once", MisfirePolicy.RUN_ONCE, "skip", MisfirePolicy.SKIP)),
          "What becomes of missed runs: one makes up for all (run-once, the default), or none.");
  private static final Section<Draft.Schedule> SCHEDULE =
      new Section<>(
          List.of(CRON, EVERY, SCHEDULE_ZONE, JITTER, MISFIRE),
          List.of(CRON, EVERY),
          fields ->
              new Draft.Schedule(
                  fields.at(CRON),
                  fields.at(EVERY),
                  fields.at(SCHEDULE_ZONE),
                  fields.at(JITTER).orElse(Duration.ZERO),
                  fields.at(MISFIRE).orElse(MisfirePolicy.RUN_ONCE)));

  private static final Key<Integer> ATTEMPTS =
      Key.required(
          "attempts",
          Shapes.integer(1, RetryPolicy.MAX_ATTEMPTS),
          "How often a run is tried in all; 1 for no retry.");
  private static final Key<Duration> FIRST_WAIT =
      Key.optional(
          "wait",
          Terms.duration(Duration.ofSeconds(1), Terms.DAY),
          "The wait before the second attempt, doubled after each further one; 1m by default.");
  private static final Key<Duration> LONGEST_WAIT =
      Key.optional(
          "longest-wait",
          Terms.duration(Duration.ofSeconds(1), Terms.DAY),
          "The longest wait between two attempts; 30m by default.");
  private static final Section<RetryPolicy> RETRY =
      Section.of(
          List.of(ATTEMPTS, FIRST_WAIT, LONGEST_WAIT),
          fields ->
              new RetryPolicy(
                  fields.of(ATTEMPTS),
                  fields.at(FIRST_WAIT).orElse(RetryPolicy.DEFAULT.first()),
                  fields.at(LONGEST_WAIT).orElse(RetryPolicy.DEFAULT.longest())));

  private static final Key<Integer> LAST =
      Key.optional("last", COUNT, "Keeps this many of the newest points.");
  private static final Map<CalendarPeriod, Key<Integer>> PERIODS = periods();
  private static final Key<CalendarSpan> WITHIN =
      Key.optional(
          "within",
          Shapes.text(CalendarSpan.PATTERN, CalendarSpan::parse),
          "Keeps what is at most this much older than the newest point, such as 30d or 1y6mo.");
  private static final Key<List<LabelSelector>> KEEP_LABELS =
      Key.optional(
          "labels",
          Shapes.list(1, Shapes.text("", LabelSelector::parse)),
          "Keeps points that carry one of these labels: KEY or KEY=VALUE.");
  private static final Key<Integer> MINIMUM =
      Key.optional(
          "minimum",
          Shapes.integer(0, RetentionPolicy.MAX_COUNT),
          "How many good points stay whatever the rules say; 1 by default, 0 lets the last one go.");
  private static final Key<Integer> MAX_CHAIN =
      Key.optional(
          "max-chain",
          Shapes.integer(1, MAX_CHAIN_LENGTH),
          "The most overlays that a point may consist of; longer chains are merged. No limit by default.");
  private static final Section<Draft.Retention> RETENTION =
      Section.of(
          List.of(
              LAST,
              period(CalendarPeriod.HOURLY),
              period(CalendarPeriod.DAILY),
              period(CalendarPeriod.WEEKLY),
              period(CalendarPeriod.MONTHLY),
              period(CalendarPeriod.YEARLY),
              WITHIN,
              KEEP_LABELS,
              MINIMUM,
              MAX_CHAIN),
          ConfigFormat::retention);

  private static final Key<Located<String>> JOB_REPOSITORY =
      Key.required(
          "repository",
          Shapes.located(Terms.named(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, s -> s)),
          "The name of one of the repositories.");
  private static final Key<List<Located<VmName>>> JOB_VMS =
      Key.required(
          "vms",
          Shapes.list(
              1, Shapes.located(Terms.named(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, VmName::new))),
          "The names of the VMs to back up.");
  private static final Key<Draft.Schedule> JOB_SCHEDULE =
      Key.required("schedule", SCHEDULE, "When the job is due.");
  private static final Key<List<Window>> JOB_WINDOWS =
      Key.optional(
          "windows",
          Shapes.list(1, Shapes.text(Window.PATTERN, Window::parse)),
          "Times in which runs may start: HH:MM-HH:MM, perhaps with days before it.");
  private static final Key<RetryPolicy> JOB_RETRY =
      Key.optional("retry", RETRY, "What to do when a run fails; three attempts by default.");
  private static final Key<Integer> JOB_CONCURRENCY =
      Key.optional(
          "concurrency",
          Terms.CONCURRENCY,
          "How many of the job's VMs are backed up at once on one agent; the agent's by default.");
  private static final Key<Long> JOB_BANDWIDTH =
      Key.optional("bandwidth", Terms.RATE, "The most bytes per second that one run sends.");
  private static final Key<Draft.Retention> JOB_RETENTION =
      Key.optional("retention", RETENTION, "What is kept; everything by default.");
  private static final Key<Map<String, String>> JOB_LABELS =
      Key.optional(
          "labels",
          Shapes.map(
              1,
              Terms.NAME_PATTERN,
              Terms.checked(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, s -> s),
              Shapes.text("", s -> s)),
          "Labels of the points that the job makes.");
  private static final Key<Double> JOB_PROVE =
      Key.optional(
          "prove",
          Shapes.decimal(BackupRequest.MAX_PERCENT),
          "So many percent of what bitmaps call unchanged are read and compared with digests of the"
              + " last point by each run; 0 by default.");
  private static final Key<List<String>> HOOK_COMMAND =
      Key.required(
          "command",
          Shapes.list(1, Shapes.text("", s -> s)),
          "The program and its arguments; no shell looks at them.");
  private static final Key<Duration> HOOK_TIMEOUT =
      Key.optional(
          "timeout",
          Terms.duration(Duration.ofSeconds(1), Terms.DAY),
          "How long it may take before it is killed and counts as failed; 5m by default.");
  private static final Section<HookCommand> HOOK =
      Section.of(
          List.of(HOOK_COMMAND, HOOK_TIMEOUT),
          fields ->
              new HookCommand(
                  fields.of(HOOK_COMMAND), fields.at(HOOK_TIMEOUT).orElse(Duration.ofMinutes(5))));
  private static final Key<HookCommand> HOOK_BEFORE =
      Key.optional("before", HOOK, "Runs before the backup; when it fails, the run fails.");
  private static final Key<HookCommand> HOOK_AFTER =
      Key.optional("after", HOOK, "Runs after the backup, whatever came of it.");
  private static final Key<Hooks> JOB_HOOKS =
      Key.optional(
          "hooks",
          Section.of(
              List.of(HOOK_BEFORE, HOOK_AFTER),
              fields -> new Hooks(fields.at(HOOK_BEFORE), fields.at(HOOK_AFTER))),
          "Commands that are run around each run.");
  private static final Key<VerifyRequest.Level> VERIFY_LEVEL =
      Key.optional(
          "level",
          Shapes.choice(
              Map.of("metadata", VerifyRequest.Level.METADATA, "data", VerifyRequest.Level.DATA)),
          "metadata: everything but guest data. data (the default): guest data too.");
  private static final Key<Duration> VERIFY_WITHIN =
      Key.optional(
          "within",
          Terms.duration(Terms.DAY, Duration.ofDays(3660)),
          "All data is read once in this time, a share by each run; all by each run by default.");
  private static final Key<Verification> JOB_VERIFY =
      Key.optional(
          "verify",
          Section.of(List.of(VERIFY_LEVEL, VERIFY_WITHIN), ConfigFormat::verification),
          "Makes this a job that reads restore points again and tells what is damaged, instead of"
              + " making new ones.");
  private static final Section<Draft.Job> JOB =
      Section.of(
          List.of(
              JOB_REPOSITORY,
              JOB_VMS,
              JOB_SCHEDULE,
              JOB_WINDOWS,
              JOB_RETRY,
              JOB_CONCURRENCY,
              JOB_BANDWIDTH,
              JOB_RETENTION,
              JOB_LABELS,
              JOB_PROVE,
              JOB_HOOKS,
              JOB_VERIFY),
          ConfigFormat::job);

  private static final Key<Configuration.Agent> ROOT_AGENT =
      Key.optional("agent", AgentFormat.AGENT, "The agent's own settings.");
  private static final Key<Map<String, RepositoryUrl>> ROOT_REPOSITORIES =
      Key.required(
          "repositories",
          Shapes.map(
              1,
              Terms.NAME_PATTERN,
              Terms.checked(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, s -> s),
              REPOSITORY),
          "Repositories, under names that jobs use.");
  private static final Key<Map<VmName, Map<DiskName, Located<Path>>>> ROOT_VMS =
      Key.required(
          "vms",
          Shapes.map(
              1,
              Terms.NAME_PATTERN,
              Terms.checked(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, VmName::new),
              VM),
          "VMs, under the names they have in the repositories.");
  private static final Key<Map<JobName, Draft.Job>> ROOT_JOBS =
      Key.required("jobs", Shapes.map(1, JobName.PATTERN, JobName::new, JOB), "What is done when.");

  private static final Key<Map<String, Draft.Channel>> ROOT_NOTIFICATIONS =
      Key.optional(
          "notifications",
          Shapes.map(
              1,
              Terms.NAME_PATTERN,
              Terms.checked(Terms.NAME_PATTERN, Terms.NAME_ALLOWED, s -> s),
              NotificationFormat.CHANNEL),
          "Who is told what, under names for logs and metrics.");

  /** The whole file. */
  static final Section<Draft> FILE =
      Section.of(
          List.of(ROOT_AGENT, ROOT_REPOSITORIES, ROOT_VMS, ROOT_JOBS, ROOT_NOTIFICATIONS),
          fields ->
              new Draft(
                  fields.at(ROOT_AGENT),
                  fields.of(ROOT_REPOSITORIES),
                  fields.of(ROOT_VMS),
                  fields.of(ROOT_JOBS),
                  fields.at(ROOT_NOTIFICATIONS).orElseGet(Map::of)));

  private ConfigFormat() {}

  private static Verification verification(Fields fields) {
    Verification verification =
        new Verification(
            fields.at(VERIFY_LEVEL).orElse(VerifyRequest.Level.DATA), fields.at(VERIFY_WITHIN));
    if (verification.level() == VerifyRequest.Level.METADATA && verification.within().isPresent()) {
      throw new IllegalArgumentException(
          "\"within\" is for level data: metadata is read whole by each run");
    }
    return verification;
  }

  private static Draft.Job job(Fields fields) {
    Map<String, String> labels = fields.at(JOB_LABELS).orElseGet(Map::of);
    Manifest.checkLabels(labels);
    if (fields.at(JOB_VERIFY).isPresent()
        && (fields.at(JOB_RETENTION).isPresent()
            || fields.at(JOB_PROVE).isPresent()
            || !labels.isEmpty())) {
      throw new IllegalArgumentException(
          "a job with \"verify\" makes no points: it has no retention, no labels and no prove");
    }
    return new Draft.Job(
        fields.of(JOB_REPOSITORY),
        fields.of(JOB_VMS),
        fields.of(JOB_SCHEDULE),
        fields.at(JOB_WINDOWS).orElseGet(List::of),
        fields.at(JOB_RETRY).orElse(RetryPolicy.DEFAULT),
        fields.at(JOB_CONCURRENCY),
        Terms.rate(fields, JOB_BANDWIDTH),
        fields.at(JOB_RETENTION),
        labels,
        fields.at(JOB_PROVE).orElse(0.0),
        fields.at(JOB_HOOKS).orElse(Hooks.NONE),
        fields.at(JOB_VERIFY));
  }

  private static Draft.Retention retention(Fields fields) {
    Map<CalendarPeriod, Integer> counts = new EnumMap<>(CalendarPeriod.class);
    PERIODS.forEach((period, key) -> fields.at(key).ifPresent(n -> counts.put(period, n)));
    Draft.Retention retention =
        new Draft.Retention(
            fields.at(LAST).orElse(0),
            counts,
            fields.at(WITHIN),
            fields.at(KEEP_LABELS).orElseGet(List::of),
            fields.at(MINIMUM).orElse(1),
            fields.at(MAX_CHAIN).map(OptionalInt::of).orElseGet(OptionalInt::empty));
    if (retention.last() == 0
        && counts.isEmpty()
        && retention.within().isEmpty()
        && retention.labels().isEmpty()) {
      throw new IllegalArgumentException(
          "needs a rule (last, hourly, daily, weekly, monthly, yearly, within or labels);"
              + " without retention everything is kept");
    }
    return retention;
  }

  private static Map<CalendarPeriod, Key<Integer>> periods() {
    Map<CalendarPeriod, Key<Integer>> keys = new EnumMap<>(CalendarPeriod.class);
    for (CalendarPeriod period : CalendarPeriod.values()) {
      String unit =
          switch (period) {
            case HOURLY -> "hours";
            case DAILY -> "days";
            case WEEKLY -> "weeks";
            case MONTHLY -> "months";
            case YEARLY -> "years";
          };
      keys.put(
          period,
          Key.optional(
              period.word(),
              COUNT,
              "Keeps the newest point of each of this many " + unit + " that have one."));
    }
    return keys;
  }

  private static Key<Integer> period(CalendarPeriod period) {
    return java.util.Objects.requireNonNull(PERIODS.get(period));
  }
}
