package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bytes of a repository flip, objects are cut or vanish: it is found, and named. */
class DamageIT {

  private static final int FLIPS = Integer.getInteger("cowbell.flips", 12);

  @TempDir private Path scratch;

  private final Random random = new Random(99);
  private TestRepository repository;
  private Path root;
  private final List<String> points = new ArrayList<>();
  private final Map<String, String> states = new LinkedHashMap<>();

  @BeforeEach
  void three_points() throws IOException {
    root = scratch.resolve("repository");
    repository = TestRepository.create(root.toString());
    GuestImage image = new GuestImage(scratch.resolve("vda.qcow2"), "", 12 << 20, random);
    image.change(20);
    for (int i = 0; i < 3; i++) {
      image.change(4);
      String point = repository.backup(image.path()).id();
      points.add(point);
      states.put(point, image.sha256());
    }
  }

  @Test
  void a_flipped_byte_anywhere_is_found_and_named() throws IOException {
    for (Path object : objects()) {
      byte[] good = Files.readAllBytes(object);
      for (int at : positions(good.length)) {
        byte[] bad = good.clone();
        bad[at] ^= (byte) (1 << random.nextInt(8));
        Files.write(object, bad);
        assertFound(object, "byte " + at + " of " + good.length);
      }
      Files.write(object, good);
    }
    repository.assertUndamaged();
  }

  @Test
  void a_truncated_a_longer_and_a_missing_object_is_found_and_named() throws IOException {
    for (Path object : objects()) {
      byte[] good = Files.readAllBytes(object);
      Files.write(object, java.util.Arrays.copyOf(good, random.nextInt(good.length)));
      assertFound(object, "truncated");
      Files.write(object, java.util.Arrays.copyOf(good, good.length + 1));
      assertFound(object, "longer");
      Files.delete(object);
      if (!object.startsWith(root.resolve("vms/web/points")) || !isNewest(object)) {
        assertFound(object, "missing");
      }
      Files.write(object, good);
    }
    repository.assertUndamaged();
  }

  @Test
  void a_damaged_lease_is_found_and_can_be_replaced() throws IOException {
    Path lease = root.resolve("vms/web/lease.json");
    byte[] bad = Files.readAllBytes(lease);
    bad[random.nextInt(bad.length)] ^= 1;
    Files.write(lease, bad);
    Shell.Result verify = repository.run("verify", "--json");
    assertThat(verify.exit()).as(verify.toString()).isEqualTo(4);
    assertThat(QemuImg.json(verify.out()).get("damage").get(0).get("object").asText())
        .isEqualTo("vms/web/lease.json");
    repository.run("unlock", "--vm", "web", "--force").success();
    repository.assertUndamaged();
    repository.run("unlock", "--vm", "web").success();
  }

  /** Without its manifest the newest point never was. */
  private boolean isNewest(Path object) {
    return object.getFileName().toString().startsWith(points.getLast());
  }

  private List<Path> objects() throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(Files::isRegularFile)
          .filter(file -> !file.startsWith(root.resolve(".cowbell")))
          .filter(file -> !file.endsWith("lease.json"))
          .sorted()
          .toList();
    }
  }

  private Iterable<Integer> positions(int length) {
    TreeSet<Integer> positions = new TreeSet<>(List.of(0, length - 1, Math.min(length - 1, 100)));
    while (positions.size() < Math.min(FLIPS, length)) {
      positions.add(random.nextInt(length));
    }
    return positions;
  }

  private void assertFound(Path object, String how) throws IOException {
    String key = root.relativize(object).toString();
    Shell.Result verify = repository.run("verify", "--level", "data", "--json");
    assertThat(verify.exit()).as("%s: %s: %s", key, how, verify).isEqualTo(4);
    JsonNode damage = QemuImg.json(verify.out()).get("damage");
    assertThat(damage.findValuesAsText("object")).as("%s: %s", key, how).contains(key);
    if (key.startsWith("vms/")) {
      assertNamed(damage.get(0), key);
      assertRestoreNoticesOrIsRight(key, how);
    }
  }

  private void assertNamed(JsonNode damage, String key) {
    List<String> touched = new ArrayList<>();
    damage.get("points").forEach(point -> touched.add(point.asText()));
    int first = 0;
    while (!key.contains(points.get(first))) {
      first++;
    }
    if (key.endsWith(".digests")) {
      // no point needs them
      assertThat(touched).isEmpty();
      return;
    }
    assertThat(touched).isEqualTo(points.subList(first, points.size()));
    if (key.contains("/disks/")) {
      assertThat(damage.get("disk").asText()).isEqualTo("vda");
    }
  }

  /** What a newer overlay hides need not be read; whatever is read is right or refused. */
  private void assertRestoreNoticesOrIsRight(String key, String how) throws IOException {
    String point = points.getLast();
    Path target = scratch.resolve("restored.raw");
    Shell.Result restore =
        repository.run("restore", "--vm", "web", "--point", point, "--to", target.toString());
    if (restore.exit() == 0) {
      assertThat(Sha256.of(target)).as("%s: %s", key, how).isEqualTo(states.get(point));
      Files.delete(target);
      return;
    }
    assertThat(restore.exit()).as("%s: %s: %s", key, how, restore).isIn(1, 6);
    assertThat(restore.err()).hasLineCount(1).contains(key.contains("/disks/") ? key : point);
    if (key.contains("/disks/")) {
      assertThat(restore.err()).contains("disk vda").contains(point);
    }
    assertThat(target).doesNotExist();
  }
}
