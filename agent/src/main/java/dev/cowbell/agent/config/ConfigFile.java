package dev.cowbell.agent.config;

import dev.cowbell.agent.config.Shapes.Located;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.RetentionPolicy;
import dev.cowbell.agent.schedule.AllowedWindows;
import dev.cowbell.agent.schedule.CronTiming;
import dev.cowbell.agent.schedule.IntervalTiming;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.JobSpec;
import dev.cowbell.agent.schedule.Timing;
import dev.cowbell.agent.verify.RollingCover;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Loads the configuration file. */
public final class ConfigFile {

  /** The largest file that is read, in bytes. */
  public static final int MAX_SIZE = 1 << 20;

  private final List<ConfigProblem> problems;

  private ConfigFile(List<ConfigProblem> problems) {
    this.problems = problems;
  }

  /**
   * Loads {@code file}.
   *
   * @throws IOException when it cannot be read
   * @throws ConfigException with every problem that it holds
   */
  public static Configuration load(Path file) throws IOException, ConfigException {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(MAX_SIZE + 1);
    }
    return parse(file.toString(), bytes);
  }

  /**
   * Reads the bytes of a file.
   *
   * @param name the file's name, for messages
   * @throws ConfigException with every problem that it holds
   */
  static Configuration parse(String name, byte[] bytes) throws ConfigException {
    List<ConfigProblem> problems = new ArrayList<>();
    try {
      YamlNode root = YamlTree.read(text(bytes));
      Optional<Draft> draft = ConfigFormat.FILE.read(root, new Reading("", problems));
      if (draft.isPresent()) {
        Configuration configuration = new ConfigFile(problems).resolve(draft.get());
        if (problems.isEmpty()) {
          return configuration;
        }
      }
    } catch (YamlTree.NotReadable e) {
      problems.add(e.problem());
    }
    throw new ConfigException(name, problems);
  }

  private static String text(byte[] bytes) throws YamlTree.NotReadable {
    if (bytes.length > MAX_SIZE) {
      throw new YamlTree.NotReadable(
          Position.START, "larger than a configuration may be: " + MAX_SIZE + " bytes");
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new YamlTree.NotReadable(Position.START, "must be text in UTF-8");
    }
  }

  private Configuration resolve(Draft draft) {
    Configuration.Agent agent = draft.agent().orElseGet(AgentFormat::defaultAgent);
    refuseSharedImages(draft.vms());
    Map<VmName, Map<DiskName, Path>> vms = new LinkedHashMap<>();
    draft
        .vms()
        .forEach((vm, disks) -> {
          Map<DiskName, Path> paths = new LinkedHashMap<>();
          disks.forEach((disk, image) -> paths.put(disk, image.value()));
          vms.put(vm, paths);
        });
    Map<JobName, Configuration.Job> jobs = new LinkedHashMap<>();
    draft
        .jobs()
        .forEach((name, job) -> resolve(name, job, agent, draft).ifPresent(j -> jobs.put(name, j)));
    refuseRulesThatDoNotAddUp(draft.jobs(), jobs);
    return new Configuration(agent, vms, jobs, channels(draft));
  }

  private List<Channel> channels(Draft draft) {
    List<Channel> channels = new ArrayList<>();
    draft
        .channels()
        .forEach((name, channel) -> {
          for (Located<JobName> job : channel.jobs()) {
            if (!draft.jobs().containsKey(job.value())) {
              unknown(job, "job", draft.jobs().keySet().stream().map(JobName::value).toList());
            }
          }
          channels.add(
              new Channel(
                  name,
                  channel.receiver(),
                  channel.on(),
                  channel.staleAfter(),
                  channel.jobs().stream().map(Located::value).toList(),
                  channel.atMostEvery()));
        });
    return channels;
  }

  /**
   * Two disks with one image would take each other's tracking bitmaps for lost ones of their own.
   */
  private void refuseSharedImages(Map<VmName, Map<DiskName, Located<Path>>> vms) {
    Map<Path, Located<Path>> seen = new HashMap<>();
    for (Map<DiskName, Located<Path>> disks : vms.values()) {
      for (Located<Path> image : disks.values()) {
        Located<Path> before = seen.putIfAbsent(image.value().normalize(), image);
        if (before != null) {
          problem(image, "the same image as " + before.path() + " in line " + before.at().line());
        }
      }
    }
  }

  /** A point stays if the rules of any job keep it, so there must be rules that say so. */
  private void refuseRulesThatDoNotAddUp(
      Map<JobName, Draft.Job> drafts, Map<JobName, Configuration.Job> jobs) {
    Map<String, RetentionPolicy> before = new HashMap<>();
    for (Configuration.Job job : jobs.values()) {
      Draft.Job draft = drafts.get(job.spec().name());
      if (draft == null || job.retention().isEmpty()) {
        continue;
      }
      for (Located<VmName> vm : draft.vms()) {
        try {
          before.merge(
              job.repository().text() + " " + vm.value(),
              job.retention().get(),
              RetentionPolicy::or);
        } catch (IllegalArgumentException e) {
          problem(
              vm,
              "another job has retention for %s in that repository too, and the rules don't add up: %s"
                  .formatted(vm.value(), e.getMessage()));
        }
      }
    }
  }

  private Optional<Configuration.Job> resolve(
      JobName name, Draft.Job job, Configuration.Agent agent, Draft draft) {
    RepositoryUrl repository = draft.repositories().get(job.repository().value());
    if (repository == null) {
      unknown(job.repository(), "repository", draft.repositories().keySet().stream().toList());
    }
    List<VmName> vms = new ArrayList<>();
    for (Located<VmName> vm : job.vms()) {
      if (!draft.vms().containsKey(vm.value())) {
        unknown(vm, "VM", draft.vms().keySet().stream().map(VmName::value).toList());
      } else if (vms.contains(vm.value())) {
        problem(vm, "named twice: " + Suggestion.quoted(vm.value().value()));
      } else {
        vms.add(vm.value());
      }
    }
    if (repository == null || vms.size() < job.vms().size()) {
      return Optional.empty();
    }
    ZoneId zone = job.schedule().zone().orElse(agent.zone());
    JobSpec spec =
        new JobSpec(
            name,
            vms,
            timing(job.schedule(), zone),
            job.schedule().jitter(),
            job.schedule().misfire(),
            new AllowedWindows(job.windows(), zone),
            job.retry(),
            job.concurrency().orElse(agent.concurrency()));
    refuseSeldomVerification(job, spec);
    return Optional.of(
        new Configuration.Job(
            spec,
            repository,
            job.bytesPerSecond(),
            job.retention().map(retention -> policy(retention, zone)),
            job.retention().map(Draft.Retention::maxChain).orElseGet(OptionalInt::empty),
            job.labels(),
            job.provePercent(),
            job.hooks(),
            job.verification()));
  }

  private void refuseSeldomVerification(Draft.Job job, JobSpec spec) {
    Optional<Duration> within = job.verification().flatMap(Verification::within);
    if (within.isPresent() && RollingCover.of(spec, within.get()).isEmpty()) {
      problem(
          job.repository(),
          "verify within %d days needs a schedule, with its windows and jitter, that comes at least"
                  .formatted(within.get().toDays())
              + " twice in that time");
    }
  }

  private static Timing timing(Draft.Schedule schedule, ZoneId zone) {
    return schedule
        .cron()
        .<Timing>map(cron -> CronTiming.parse(cron, zone))
        .or(() -> schedule.every().map(every -> new IntervalTiming(every, zone)))
        .orElseThrow();
  }

  private static RetentionPolicy policy(Draft.Retention retention, ZoneId zone) {
    return new RetentionPolicy(
        retention.last(),
        retention.periods(),
        retention.within(),
        retention.labels(),
        retention.minimum(),
        zone);
  }

  private void unknown(Located<?> found, String what, List<String> known) {
    String name = found.value().toString();
    problem(
        found,
        "no %s is named %s, there are %s%s"
            .formatted(
                what,
                Suggestion.quoted(name),
                String.join(", ", known.subList(0, Math.min(known.size(), 10))),
                Suggestion.hint(name, known)));
  }

  private void problem(Located<?> at, String message) {
    problems.add(new ConfigProblem(at.at(), at.path(), message));
  }
}
