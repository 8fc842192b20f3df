package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.By;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;

/** The status page in a real browser, served by a real agent. */
final class StatusPageIT {

  private static final String XSS = "<script>document.title='x'</script>";

  @TempDir private Path folder;

  private final HttpClient http = HttpClient.newHttpClient();

  @Test
  void shows_vms_points_chains_and_jobs_and_starts_a_job() throws Exception {
    Path image = folder.resolve("web.qcow2");
    Path repository = folder.resolve("repository");
    QemuImg.create(image, "cluster_size=64k", 64 << 20);
    Cowbell.of("init", "--repo", repository);
    for (int i = 0; i < 5; i++) {
      QemuIo.of(image, List.of("write -P " + (i + 1) + " " + i + "M 512k"));
      Cowbell.of(
          "backup", "--repo", repository, "--vm", "web", "--label", "note=" + XSS, "vda=" + image);
    }
    int port = freePort();
    Path config = folder.resolve("cowbell.yaml");
    Files.writeString(
        config,
        """
        agent: { name: test-host, status: "127.0.0.1:%d" }
        repositories: { here: { url: %s } }
        vms: { web: { disks: { vda: %s } }, db: { disks: { vda: %s.none } } }
        jobs:
          nightly: { repository: here, vms: [web, db], schedule: { cron: "0 0 29 2 *" }, retry: { attempts: 1 } }
        """
            .formatted(port, repository, image, image));
    String base = "http://127.0.0.1:" + port;
    try (AgentProcess agent = AgentProcess.start(folder, config, Map.of())) {
      agent.await("healthz", () -> status(base + "/healthz") == 200);
      agent.await("points", () -> get(base + "/status.json").contains("newestPoint"));
      ChromeDriver browser = browser();
      try {
        browser.get(base + "/");
        assertThat(browser.getTitle()).isEqualTo("Cowbell");
        WebElement vm = browser.findElements(By.cssSelector("article.vm")).getFirst();
        assertThat(vm.getText())
            .contains("web", "5 points", "chain of 5")
            .doesNotContain("can't be read");
        assertThat(browser.findElements(By.cssSelector(".calendar rect.full"))).isNotEmpty();
        assertThat(browser.findElement(By.id("jobs")).getText()).contains("nightly", "web, db");

        browser.findElement(By.cssSelector("button[data-job=nightly]")).click();
        agent.awaitSaid("run done", 1);
        agent.awaitSaid("run failed", 1);
        agent.await(
            "the page to show the runs without being loaded again",
            () ->
                browser.findElements(By.cssSelector("#ended tr.done")).size() == 1
                    && browser.findElements(By.cssSelector("#ended tr.failed")).size() == 1
                    && browser
                        .findElements(By.cssSelector("article.vm"))
                        .getFirst()
                        .getText()
                        .contains("6 points"));
        assertThat(browser.findElement(By.cssSelector("#ended tr.failed")).getText())
            .contains("no such file or directory");
        keep(browser, "overview");

        browser.findElement(By.linkText("web")).click();
        assertThat(browser.findElements(By.cssSelector("#points tbody tr"))).hasSize(6);
        assertThat(browser.findElements(By.cssSelector("#chain rect"))).hasSize(1);
        assertThat(browser.findElements(By.cssSelector("#chain circle"))).hasSize(5);
        assertThat(browser.findElements(By.cssSelector("#chain path"))).hasSize(5);
        assertThat(browser.findElements(By.cssSelector("#sizes rect"))).hasSize(6);
        assertThat(browser.getTitle()).as("what a label says is text").isEqualTo("web · Cowbell");
        assertThat(browser.findElement(By.id("points")).getText()).contains(XSS);
        keep(browser, "vm");
      } finally {
        browser.quit();
      }
      checkMetrics(get(base + "/metrics"));
      JsonNode json = QemuImg.json(get(base + "/status.json"));
      assertThat(json.get("agent").asText()).isEqualTo("test-host");
      assertThat(json.get("vms").get(0).get("points").asInt()).isEqualTo(6);

      assertThat(status(base + "/vm/7")).isEqualTo(404);
      assertThat(status(base + "/../etc/passwd")).isEqualTo(404);
      assertThat(post(base + "/jobs/nightly/run", false)).as("from another site").isEqualTo(405);
      assertThat(post(base + "/jobs/nigthly/run", true)).isEqualTo(404);
      agent.signal("TERM");
      assertThat(agent.exit()).isZero();
    }
  }

  private static void checkMetrics(String metrics) {
    assertThat(metrics)
        .contains("cowbell_runs_total{job=\"nightly\",outcome=\"done\",vm=\"web\"} 1.0")
        .contains("cowbell_runs_total{job=\"nightly\",outcome=\"failed\",vm=\"db\"} 1.0")
        .containsPattern("cowbell_points\\{repository=\"[^\"]+\",vm=\"web\"} 6\\.0")
        .containsPattern("cowbell_newest_point_timestamp_seconds\\{[^}]*vm=\"web\"} [1-9]")
        .contains("cowbell_running 0.0");
  }

  private static ChromeDriver browser() {
    ChromeOptions options = new ChromeOptions();
    options.setBinary("/usr/bin/chromium");
    options.addArguments(
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,1100");
    ChromeDriverService service =
        new ChromeDriverService.Builder()
            .usingDriverExecutable(new java.io.File("/usr/bin/chromedriver"))
            .build();
    return new ChromeDriver(service, options);
  }

  /** Pictures for people, beside the reports. */
  private static void keep(ChromeDriver browser, String name) throws IOException {
    Path target = Files.createDirectories(Path.of("target", "screenshots"));
    Files.write(target.resolve(name + ".png"), browser.getScreenshotAs(OutputType.BYTES));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private int status(String url) throws Exception {
    try {
      return answer(HttpRequest.newBuilder(URI.create(url))).statusCode();
    } catch (IOException e) {
      return -1;
    }
  }

  private String get(String url) throws Exception {
    return answer(HttpRequest.newBuilder(URI.create(url))).body();
  }

  private int post(String url, boolean ours) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url)).POST(HttpRequest.BodyPublishers.noBody());
    return answer(ours ? request.header("X-Cowbell", "1") : request).statusCode();
  }

  private HttpResponse<String> answer(HttpRequest.Builder request) throws Exception {
    return http.send(
        request.timeout(Duration.ofSeconds(10)).build(), HttpResponse.BodyHandlers.ofString());
  }
}
