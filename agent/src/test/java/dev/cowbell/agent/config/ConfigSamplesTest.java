package dev.cowbell.agent.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import dev.cowbell.agent.schedule.ForeseenRuns;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The samples and the schema that is shipped with them, against the code that reads them. */
final class ConfigSamplesTest {

  private static final Path SAMPLES = Path.of("..", "config-samples");
  private static final Path SCHEMA = SAMPLES.resolve("cowbell.schema.json");

  @Test
  void every_sample_loads_and_all_its_jobs_are_due_some_time() throws Exception {
    List<Path> samples = samples();
    assertThat(samples).hasSizeGreaterThanOrEqualTo(5);
    for (Path sample : samples) {
      Configuration configuration = ConfigFile.load(sample);
      assertThat(configuration.jobs()).as(sample.toString()).isNotEmpty();
      for (Configuration.Job job : configuration.jobs().values()) {
        assertThat(ForeseenRuns.of(job.spec(), Instant.parse("2026-01-01T00:00:00Z"), 5))
            .as("%s: %s", sample, job.spec().name())
            .hasSize(5);
      }
    }
  }

  /** Write it anew with {@code -Dcowbell.schema.write=true}. */
  @Test
  void the_shipped_schema_is_the_one_the_code_declares() throws Exception {
    if (Boolean.getBoolean("cowbell.schema.write")) {
      Files.writeString(SCHEMA, ConfigSchema.document());
    }
    assertThat(Files.readString(SCHEMA)).isEqualTo(ConfigSchema.document());
  }

  @Test
  void every_sample_satisfies_the_schema() throws Exception {
    for (Path sample : samples()) {
      assertThat(violations(Files.readString(sample))).as(sample.toString()).isEmpty();
    }
  }

  /** What an editor marks as wrong is what the agent refuses, as far as a schema can tell. */
  @Test
  void the_schema_refuses_what_the_code_refuses() throws Exception {
    String good = Files.readString(SAMPLES.resolve("host-to-s3.yaml"));
    List<String[]> changes =
        List.of(
            new String[] {"concurrency: 2 ", "concurency: 2 "},
            new String[] {"concurrency: 2 ", "concurrency: 0 "},
            new String[] {"bandwidth: 100M", "bandwidth: 100Mbit"},
            new String[] {"stop-within: 10m", "stop-within: ten"},
            new String[] {"s3://example", "ftp://example"},
            new String[] {"vda: /var", "vda: var"},
            new String[] {"    vms: [web, mail, build]\n", ""},
            new String[] {"[web, mail, build]", "[]"},
            new String[] {"      cron: \"0 22 * * *\"\n", ""},
            new String[] {"missed: run-once", "missed: sometimes"},
            new String[] {"\"22:00-06:00\"", "\"22-06\""},
            new String[] {"attempts: 4", "attempts: many"},
            new String[] {"daily: 14", "daily: 0"});
    assertThat(violations(good)).isEmpty();
    for (String[] change : changes) {
      assertThat(good).contains(change[0]);
      String bad = good.replace(change[0], change[1]);
      assertThat(violations(bad)).as(change[1]).isNotEmpty();
      assertThat(isRefused(bad)).as(change[1]).isTrue();
    }
  }

  private static boolean isRefused(String text) {
    try {
      ConfigFile.parse("sample", text.getBytes(StandardCharsets.UTF_8));
      return false;
    } catch (ConfigException e) {
      return true;
    }
  }

  private static List<String> violations(String yaml) throws Exception {
    JsonSchema schema =
        JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012)
            .getSchema(ConfigSchema.document());
    return schema.validate(json(YamlTree.read(yaml))).stream().map(Object::toString).toList();
  }

  private static JsonNode json(YamlNode node) {
    return switch (node) {
      case YamlNode.Scalar scalar when scalar.plain() && scalar.text().matches("-?[0-9]{1,9}") ->
          JsonNodeFactory.instance.numberNode(Integer.parseInt(scalar.text()));
      case YamlNode.Scalar scalar -> JsonNodeFactory.instance.textNode(scalar.text());
      case YamlNode.Sequence sequence -> {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        sequence.items().forEach(item -> array.add(json(item)));
        yield array;
      }
      case YamlNode.Mapping mapping -> {
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        mapping.entries().forEach((key, entry) -> object.set(key, json(entry.value())));
        yield object;
      }
    };
  }

  private static List<Path> samples() throws IOException {
    try (Stream<Path> files = Files.list(SAMPLES)) {
      return files.filter(file -> file.toString().endsWith(".yaml")).sorted().toList();
    }
  }
}
