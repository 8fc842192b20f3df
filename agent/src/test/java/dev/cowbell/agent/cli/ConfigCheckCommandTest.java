package dev.cowbell.agent.cli;

import static dev.cowbell.agent.cli.CommandLineUnderTest.cowbell;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConfigCheckCommandTest {

  private static final String SAMPLE = "../config-samples/several-jobs.yaml";

  @Test
  void prints_each_job_and_its_next_five_runs() {
    var result = cowbell("config", "check", SAMPLE);
    assertThat(result.exitCode()).isZero();
    assertThat(result.err()).isEmpty();
    List<String> lines = result.out().lines().toList();
    assertThat(lines)
        .contains(
            "Job nightly",
            "  schedule:   cron 15 1 * * * in America/New_York, each VM up to 20m later",
            "  keeps:      daily 14, weekly 8, monthly 24, yearly 7, label release, label"
                + " audit=yes, at least 3");
    assertThat(lines.stream().filter(line -> line.startsWith("    "))).hasSize(15);
    assertThat(lines.stream().filter(line -> line.startsWith("    Sun") && line.contains("04:00")))
        .hasSize(5);
  }

  @Test
  void prints_the_same_as_json() throws Exception {
    var result = cowbell("config", "check", "--json", SAMPLE);
    JsonNode json = new ObjectMapper().readTree(result.out());
    assertThat(json.at("/valid").asBoolean()).isTrue();
    assertThat(json.at("/jobs")).hasSize(3);
    assertThat(json.at("/jobs/1/name").asText()).isEqualTo("nightly");
    assertThat(json.at("/jobs/1/nextRuns")).hasSize(5);
  }

  @Test
  void prints_a_line_for_each_problem_and_exits_1(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("bad.yaml");
    Files.writeString(
        file,
        Files.readString(Path.of(SAMPLE))
            .replace("daily: 14", "daily: many")
            .replace("jitter: 20m", "jiter: 20m"));
    var result = cowbell("config", "check", file.toString());
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).hasLineCount(2).contains(file + ":43:7: jobs.nightly.schedule: ");
    JsonNode json =
        new ObjectMapper().readTree(cowbell("config", "check", "--json", file.toString()).out());
    assertThat(json.at("/problems/0/line").asInt()).isEqualTo(43);
    assertThat(json.at("/problems/1/path").asText()).isEqualTo("jobs.nightly.retention.daily");
  }

  @Test
  void a_missing_file_is_not_found() {
    var result = cowbell("config", "check", "/nowhere.yaml");
    assertThat(result.exitCode()).isEqualTo(6);
    assertThat(result.err()).hasLineCount(1).contains("/nowhere.yaml");
  }

  @Test
  void prints_the_schema_that_is_shipped() throws Exception {
    assertThat(cowbell("config", "schema").out())
        .isEqualTo(Files.readString(Path.of("../config-samples/cowbell.schema.json")));
  }
}
