package dev.cowbell.agent.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.retention.CalendarPeriod;
import dev.cowbell.agent.schedule.IntervalTiming;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.MisfirePolicy;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConfigFileTest {

  private static final String GOOD =
      """
      agent:
        time-zone: Europe/Vienna
        concurrency: 3
        bandwidth: 10M
        job-store:
          type: postgresql
          url: jdbc:postgresql://localhost/cowbell
          user: cowbell
          password: { env: DB_PASSWORD }
      repositories:
        main:
          url: s3://bucket/prefix?region=eu-central-1
      vms:
        web:
          disks:
            vda: /images/web.qcow2
        101:
          disks: { vda: /images/101.qcow2 }
      jobs:
        nightly:
          repository: main
          vms: [web, 101]
          schedule:
            every: 1h30m
            jitter: 10m
            missed: skip
          windows: ["mon-fri 22:00-06:00"]
          retry: { attempts: 2, wait: 10s }
          concurrency: 1
          bandwidth: 1M
          labels: { tier: gold }
          prove: 0.5
          retention:
            last: 5
            daily: 7
            within: 30d
            labels: [keep]
            minimum: 2
      """;

  @Test
  void reads_every_key() throws Exception {
    Configuration configuration = parse(GOOD);
    assertThat(configuration.agent().zone()).isEqualTo(ZoneId.of("Europe/Vienna"));
    assertThat(configuration.agent().bytesPerSecond()).isEqualTo(OptionalLong.of(10 << 20));
    assertThat(configuration.agent().jobStore())
        .isEqualTo(
            new Configuration.JobStore.Postgresql(
                "jdbc:postgresql://localhost/cowbell",
                "cowbell",
                Optional.of(new Secret.InEnvironment("DB_PASSWORD")),
                "cowbell"));
    assertThat(configuration.vms())
        .containsEntry(
            new VmName("101"), Map.of(new DiskName("vda"), Path.of("/images/101.qcow2")));
    Configuration.Job job = configuration.jobs().get(new JobName("nightly"));
    assertThat(job).isNotNull();
    assertThat(job.spec().timing())
        .isEqualTo(new IntervalTiming(Duration.ofMinutes(90), ZoneId.of("Europe/Vienna")));
    assertThat(job.spec().misfire()).isEqualTo(MisfirePolicy.SKIP);
    assertThat(job.spec().retry().attempts()).isEqualTo(2);
    assertThat(job.spec().concurrency()).isEqualTo(1);
    assertThat(job.labels()).containsExactly(Map.entry("tier", "gold"));
    assertThat(job.provePercent()).isEqualTo(0.5);
    assertThat(job.retention())
        .hasValueSatisfying(policy -> {
          assertThat(policy.last()).isEqualTo(5);
          assertThat(policy.periods()).isEqualTo(Map.of(CalendarPeriod.DAILY, 7));
          assertThat(policy.minimum()).isEqualTo(2);
          assertThat(policy.zone()).isEqualTo(ZoneId.of("Europe/Vienna"));
        });
  }

  @Test
  void tells_a_misspelt_key_by_line_and_column_with_a_suggestion() {
    assertThat(problem("daily: 7", "dialy: 7"))
        .isEqualTo(
            "test.yaml:35:7: jobs.nightly.retention: unknown key \"dialy\", allowed are last,"
                + " hourly, daily, weekly, monthly, yearly, within, labels, minimum, max-chain; did you"
                + " mean \"daily\"?");
    assertThat(problem("repositories:", "repositorys:"))
        .contains("test.yaml:10:1: unknown key", "did you mean \"repositories\"?");
  }

  @Test
  void tells_what_is_wrong_with_a_value_and_what_is_allowed() {
    refuses("every: 1h30m", "every: 1 hour", "24:14: jobs.nightly.schedule.every: must be numbers");
    refuses("every: 1h30m", "every: 5s", "must be 1m to 366d, found \"5s\"");
    refuses("every: 1h30m", "cron: \"61 2 * * *\"", "schedule.cron: ", "0 and 59", "found \"61");
    refuses("every: 1h30m", "every: 1h\n      cron: \"@daily\"", "exactly one of the keys cron");
    refuses("      every: 1h30m\n", "", "exactly one of the keys cron, every, found none");
    refuses("missed: skip", "missed: skipp", "must be one of run-once, skip", "mean \"skip\"?");
    refuses("last: 5", "last: five", "whole number of 1 to 100000, found \"five\"");
    refuses("last: 5", "last: \"5\"", "whole number");
    refuses("last: 5", "last: 99999999999999999999", "whole number");
    refuses("last: 5", "last:", "found no value");
    refuses("within: 30d", "within: 30", "such as 30d");
    refuses("minimum: 2", "minimum: -1", "0 to 100000");
    refuses("Europe/Vienna", "Europe/Viena", "did you mean \"Europe/Vienna\"?");
    refuses("10M", "10Mbit", "must be bytes per second", "such as 50M");
    refuses("mon-fri 22:00", "mon-fry 22:00", "days must be of mon tue", "found");
    refuses("/images/web.qcow2", "images/web.qcow2", "must be an absolute path");
    refuses("vms: [web, 101]", "vms: web", "must be a list");
    refuses("vms: [web, 101]", "vms: []", "must be a list that is not empty, found an empty one");
    refuses("nightly:", "\"night ly\":", "60 characters");
    refuses("vda: /images/web", "../x: /images/web", "128 characters");
    refuses("attempts: 2", "attempts: 0", "1 to 100");
    refuses("prove: 0.5", "prove: 101", "must be a number of 0 to 100");
    refuses("prove: 0.5", "prove: much", "must be a number of 0 to 100");
    refuses("wait: 10s", "wait: 10h", "must not be shorter");
  }

  @Test
  void tells_references_to_what_is_not_there() {
    refuses(
        "repository: main",
        "repository: mian",
        "21:17: jobs.nightly.repository: no repository",
        "there are main; did you mean \"main\"?");
    refuses("vms: [web, 101]", "vms: [wbe, 101]", "jobs.nightly.vms[0]: no VM is named \"wbe\"");
    refuses("vms: [web, 101]", "vms: [web, web]", "named twice");
  }

  @Test
  void tells_two_disks_with_one_image() {
    refuses("/images/101.qcow2", "/images/./web.qcow2", "the same image as vms.web.disks.vda");
  }

  @Test
  void tells_a_wrong_repository_url() {
    String url = "s3://bucket/prefix?region=eu-central-1";
    refuses(url, "s4://bucket", "must be an absolute path", "did you mean \"s3\"?");
    refuses(url, "s3://bucket?regoin=x", "unknown parameter \"regoin\"", "mean \"region\"?");
    refuses(url, "s3://bucket?endpoint=localhost:9000", "endpoint must be http");
    refuses(url, "s3://bucket?path-style=yes", "path-style must be true or false");
    refuses(url, "s3://key:secret@bucket/x", "must not hold credentials");
    refuses(url, "s3://B/x", "must name a bucket");
    refuses(url, "relative/path", "must be an absolute path");
    refuses(url, "file://host/path", "file:/// and an absolute path");
  }

  @Test
  void keeps_what_any_of_several_jobs_keeps_of_a_vm() throws ConfigException {
    String second =
        "  first: {repository: main, vms: [web], schedule: {every: 1d, time-zone: %s},"
            + " retention: {last: 9, weekly: 3, max-chain: 4}}\n  nightly:";
    Configuration config = parse(GOOD.replace("  nightly:", second.formatted("Europe/Vienna")));
    Configuration.Job nightly = config.jobs().get(new JobName("nightly"));
    assertThat(nightly).isNotNull();
    var alone = nightly.retention().orElseThrow();
    var both = config.pruning(nightly, new VmName("web")).orElseThrow();
    assertThat(both.retention().last()).isEqualTo(9);
    assertThat(both.retention().periods())
        .containsEntry(CalendarPeriod.WEEKLY, 3)
        .containsAllEntriesOf(alone.periods());
    assertThat(both.retention().within()).isEqualTo(alone.within());
    assertThat(both.maxChain()).hasValue(4);

    refuses("  nightly:", second.formatted("UTC"), "another job has retention for web");
    refuses("  nightly:", second.formatted("UTC"), "different times: in UTC and in Europe/Vienna");
  }

  @Test
  void wants_secrets_by_reference() {
    refuses("password: { env: DB_PASSWORD }", "password: hunter2", "a mapping with the keys env");
    refuses("{ env: DB_PASSWORD }", "{ env: A, file: /b }", "exactly one of the keys env, file");
    refuses("localhost/cowbell", "localhost/cowbell?password=x", "must not hold the password");
  }

  @Test
  void says_of_what_is_to_come_that_it_is_not_there_yet() {
    refuses(
        "disks:\n      vda",
        "qmp: /run/web.sock\n    disks:\n      vda",
        "running VMs cannot be configured yet");
    refuses(
        "windows:",
        "hooks: {before: {command: []}}\n    windows:",
        "must be a list that is not empty, found an empty one");
  }

  @Test
  void says_what_a_job_store_needs() {
    refuses("type: postgresql", "type: memory", "\"url\" is for type postgresql only");
    refuses("    user: cowbell\n", "", "the key \"user\" is missing");
  }

  @Test
  void tells_all_problems_at_once_in_the_order_of_the_file() {
    ConfigException e =
        failure(GOOD.replace("concurrency: 3", "concurency: 3").replace("last: 5", "last: x"));
    assertThat(e.problems()).hasSize(2);
    assertThat(e.problems().getFirst().at().line()).isEqualTo(3);
  }

  @Test
  void an_empty_file_misses_its_keys() {
    for (String text : new String[] {"", "# nothing\n", "---\n", "~\n"}) {
      assertThat(failure(text).problems())
          .as(text)
          .extracting(ConfigProblem::message)
          .contains("the key \"jobs\" is missing");
    }
  }

  @Test
  void refuses_yaml_it_does_not_need() {
    refusesFile("a: &x 1\n", "1:4: anchors (&) and aliases (*)");
    refusesFile("a: *x\n", "anchors (&) and aliases (*)");
    refusesFile("a: !!binary x\n", "tags (!)");
    refusesFile("a: 1\n---\nb: 2\n", "one YAML document");
    refusesFile("a: 1\na: 2\n", "2:1: the key \"a\" was given in line 1 already");
    refusesFile("? [a]\n: b\n", "a key must be text");
    refusesFile("a: [1, 2\n", "not YAML");
    refusesFile("\ta: 1\n", "not YAML");
    refusesFile("[]", "must be a mapping");
  }

  @Test
  void a_bomb_costs_nothing() {
    StringBuilder laughs = new StringBuilder("a0: &a0 [lol]\n");
    for (int i = 1; i < 40; i++) {
      laughs.append("a%d: &a%d [*a%d, *a%d]\n".formatted(i, i, i - 1, i - 1));
    }
    refusesFile(laughs.toString(), "anchors");
    refusesFile("[".repeat(500_000), "nested deeper than 20");
    refusesFile("{a: ".repeat(200_000), "nested deeper than 20");
    refusesFile("- ".repeat(300_000), "nested deeper than 20");
    refusesFile("x".repeat(ConfigFile.MAX_SIZE + 1), "larger than a configuration may be");
  }

  @Test
  void messages_hold_no_control_characters() {
    ConfigException e = failure("\"\\e[2Jx\": 1\n\"" + "y".repeat(5000) + "\": 2\n");
    assertThat(e.getMessage()).doesNotContain("\u001b").hasSizeLessThan(2000);
  }

  @Test
  void broken_files_give_problems_and_nothing_else() {
    long base = Long.getLong("cowbell.seed", 1);
    byte[] good = GOOD.getBytes(StandardCharsets.UTF_8);
    for (long seed = base; seed < base + Integer.getInteger("cowbell.rounds", 3000); seed++) {
      Random random = new Random(seed);
      byte[] broken = good.clone();
      for (int i = 0; i <= random.nextInt(4); i++) {
        broken[random.nextInt(broken.length)] =
            (byte)
                (random.nextBoolean()
                    ? random.nextInt(256)
                    : "[]{}:,&*!|>'\"#\n \t-".charAt(random.nextInt(18)));
      }
      try {
        ConfigFile.parse("test.yaml", broken);
      } catch (ConfigException e) {
        assertThat(e.problems()).as("seed %d", seed).isNotEmpty();
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }

  @Test
  void finds_secrets_where_they_are_kept(@TempDir Path directory) throws IOException {
    Path file = Files.writeString(directory.resolve("secret"), "hunter2\nmore\n");
    assertThat(new Secret.InFile(file).reveal(_ -> Optional.empty())).isEqualTo("hunter2");
    assertThat(new Secret.InEnvironment("X").reveal(Optional::of)).isEqualTo("X");
    assertThat(
            catchThrowableOfType(
                IOException.class,
                () -> new Secret.InEnvironment("X").reveal(_ -> Optional.empty())))
        .hasMessage("the environment variable X is not set");
  }

  private static void refuses(String good, String bad, String... saying) {
    assertThat(problem(good, bad)).contains(saying);
  }

  private static void refusesFile(String text, String saying) {
    assertThat(failure(text).getMessage()).contains(saying);
  }

  private static String problem(String good, String bad) {
    assertThat(GOOD).contains(good);
    return String.valueOf(failure(GOOD.replace(good, bad)).getMessage());
  }

  private static ConfigException failure(String text) {
    try {
      parse(text);
    } catch (ConfigException e) {
      return e;
    }
    throw new AssertionError("accepted: " + text.substring(0, Math.min(100, text.length())));
  }

  private static Configuration parse(String text) throws ConfigException {
    return ConfigFile.parse("test.yaml", text.getBytes(StandardCharsets.UTF_8));
  }
}
