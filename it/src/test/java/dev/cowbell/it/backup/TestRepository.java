package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsCredentials;

/** A repository, used through the command line alone. */
public record TestRepository(String url, Map<String, String> environment) {

  public static TestRepository create(String url) {
    return create(url, Map.of());
  }

  /** In a bucket, as somebody. */
  public static TestRepository create(String url, AwsCredentials who) {
    return create(
        url,
        Map.of(
            "AWS_ACCESS_KEY_ID", who.accessKeyId(),
            "AWS_SECRET_ACCESS_KEY", who.secretAccessKey()));
  }

  private static TestRepository create(String url, Map<String, String> environment) {
    Cowbell.runWith(environment, "init", "--repo", url).success();
    return new TestRepository(url, environment);
  }

  /**
   * A point as {@code backup --json} reports it.
   *
   * @param json all of the report
   */
  public record Point(String id, String kind, long storedBytes, long changedBytes, JsonNode json) {

    public static Point of(String report) {
      JsonNode json = QemuImg.json(report);
      return new Point(
          json.get("point").asText(),
          json.get("kind").asText(),
          json.get("storedBytes").asLong(),
          json.get("changedBytes").asLong(),
          json);
    }

    /** Fails unless it is an increment whose changes were known without comparing everything. */
    public void assertTracked() {
      assertThat(kind).as(reason()).isEqualTo("incremental");
      assertThat(reason()).doesNotStartWith("rescan");
    }

    public String reason() {
      return json.get("disks").get(0).get("reason").asText();
    }
  }

  /** Backs up images that have to be backed up without a warning. */
  public Point backup(Object... arguments) {
    return Point.of(tryBackup(arguments).success());
  }

  public Shell.Result tryBackup(Object... arguments) {
    return run("backup", with(arguments, "--vm", "web", "--json"));
  }

  /** What a point's disk reads as, by restoring it. */
  public String restoredSha256(String point, Path scratch, Object... arguments) throws IOException {
    Path raw = scratch.resolve("restored-" + point + ".raw");
    run("restore", with(arguments, "--vm", "web", "--point", point, "--to", raw.toString()))
        .success();
    try {
      return Sha256.of(raw);
    } finally {
      Files.delete(raw);
    }
  }

  /** Fails unless verify finds nothing wrong. */
  public void assertUndamaged() {
    JsonNode report = QemuImg.json(run("verify", "--level", "data", "--json").success());
    assertThat(report.get("damage")).isEmpty();
  }

  public JsonNode points() {
    return QemuImg.json(run("points", "--json").success()).get("points");
  }

  public Shell.Result run(String command, Object... arguments) {
    return Cowbell.runWith(environment, with(arguments, command, "--repo", url));
  }

  private static Object[] with(Object[] arguments, Object... first) {
    List<Object> all = new ArrayList<>(List.of(first));
    all.addAll(List.of(arguments));
    return all.toArray();
  }
}
