package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What happens to images between two backups, and whether the second one sees all of it. */
class TrackedChangesIT {

  private static final long MIB = 1 << 20;

  @TempDir private Path scratch;

  private final Random random = new Random(4711);

  private TestRepository repository() {
    return TestRepository.create(scratch.resolve("repository").toString());
  }

  private GuestImage image(String name, long size) {
    GuestImage image = new GuestImage(scratch.resolve(name), "", size, random);
    image.change(30);
    return image;
  }

  private void assertRestores(TestRepository repository, TestRepository.Point point, String sha256)
      throws IOException {
    assertThat(repository.restoredSha256(point.id(), scratch)).isEqualTo(sha256);
  }

  @Test
  void a_grown_disk_is_incremental_and_its_new_part_is_there() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 10 * MIB + 512);
    repository.backup(image.path());
    image.resize(16 * MIB);
    QemuIo.of(image.path(), "write -P 77 15M 4k");
    TestRepository.Point grown = repository.backup(image.path());
    grown.assertTracked();
    assertRestores(repository, grown, image.sha256());
  }

  @Test
  void a_disk_that_was_shrunk_and_grown_again_is_compared_as_a_whole() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    QemuIo.of(image.path(), "write -P 1 0 16M");
    repository.backup(image.path());
    image.resize(8 * MIB + 512);
    image.resize(16 * MIB);
    TestRepository.Point point = repository.backup(image.path());
    assertThat(point.kind()).isEqualTo("incremental");
    assertThat(point.reason()).contains("resized");
    assertRestores(repository, point, image.sha256());
  }

  @Test
  void a_disk_that_was_shrunk_and_grown_inside_its_last_granule_comes_back() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    QemuIo.of(image.path(), "write -P 1 0 16M");
    repository.backup(image.path());
    image.resize(16 * MIB - 1024);
    image.resize(20 * MIB);
    TestRepository.Point point = repository.backup(image.path());
    point.assertTracked();
    assertRestores(repository, point, image.sha256());
  }

  @Test
  void a_shrunk_disk_is_copied_in_full() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    repository.backup(image.path());
    image.resize(9 * MIB);
    TestRepository.Point point = repository.backup(image.path());
    assertThat(point.kind()).isEqualTo("full");
    assertThat(point.reason()).contains("shrunk");
    assertRestores(repository, point, image.sha256());
  }

  @Test
  void a_cleared_or_disabled_bitmap_is_noticed() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    TestRepository.Point first = repository.backup(image.path());
    image.change(3);
    QemuImg.of("bitmap", "--clear", image.path(), "cowbell:" + first.id());
    TestRepository.Point second = repository.backup(image.path());
    assertThat(second.kind()).isEqualTo("incremental");
    assertThat(second.reason()).contains("cleared");
    assertRestores(repository, second, image.sha256());
    QemuImg.of("bitmap", "--disable", image.path(), "cowbell:" + second.id());
    image.change(3);
    TestRepository.Point third = repository.backup(image.path());
    assertThat(third.reason()).contains("disabled");
    assertRestores(repository, third, image.sha256());
  }

  @Test
  void bitmaps_of_others_are_left_alone() {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    QemuImg.of("bitmap", "--add", image.path(), "theirs");
    repository.backup(image.path());
    image.change(3);
    TestRepository.Point second = repository.backup(image.path());
    second.assertTracked();
    assertThat(image.bitmaps()).containsExactlyInAnyOrder("theirs", "cowbell:" + second.id());
    JsonNode bitmaps =
        QemuImg.info(image.path()).path("format-specific").path("data").path("bitmaps");
    assertThat(bitmaps).allSatisfy(b -> assertThat(b.get("flags").toString()).contains("auto"));
  }

  @Test
  void an_external_overlay_on_the_image_is_incremental() throws IOException {
    TestRepository repository = repository();
    GuestImage base = image("vda.qcow2", 16 * MIB);
    TestRepository.Point first = repository.backup(base.path());
    String firstState = base.sha256();
    base.change(3);
    Path top = scratch.resolve("top.qcow2");
    QemuImg.createOver(top, "", base.path().toString(), "qcow2", 16 * MIB);
    GuestImage overlay = new GuestImage(top, 16 * MIB, random);
    overlay.change(5);
    TestRepository.Point second = repository.backup("vda=" + top);
    second.assertTracked();
    assertThat(second.changedBytes()).isLessThan(12 * MIB);
    String secondState = overlay.sha256();
    overlay.change(5);
    TestRepository.Point third = repository.backup("vda=" + top);
    third.assertTracked();
    assertRestores(repository, first, firstState);
    assertRestores(repository, second, secondState);
    assertRestores(repository, third, overlay.sha256());
  }

  @Test
  void a_changed_backing_file_makes_a_rescan() throws IOException {
    TestRepository repository = repository();
    GuestImage base = image("base.qcow2", 16 * MIB);
    Path top = scratch.resolve("vda.qcow2");
    QemuImg.createOver(top, "", base.path().toString(), "qcow2", 16 * MIB);
    GuestImage image = new GuestImage(top, 16 * MIB, random);
    image.change(3);
    repository.backup(top);
    image.change(3);
    repository.backup(top).assertTracked();
    base.change(3);
    TestRepository.Point point = repository.backup(top);
    assertThat(point.kind()).isEqualTo("incremental");
    assertThat(point.reason()).contains("base.qcow2 was changed");
    assertRestores(repository, point, image.sha256());
  }

  @Test
  void internal_snapshots_are_backed_up_by_their_tables() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 32 * MIB);
    QemuImg.of("snapshot", "-c", "one", image.path());
    String one = image.sha256();
    image.change(4);
    QemuImg.of("snapshot", "-c", "two", image.path());
    String two = image.sha256();
    image.change(4);
    TestRepository.Point first = repository.backup(image.path(), "--snapshot", "one");
    TestRepository.Point second = repository.backup(image.path(), "--snapshot", "two");
    TestRepository.Point active = repository.backup(image.path());
    assertThat(image.bitmaps()).containsExactly("cowbell:" + active.id());
    String activeState = image.sha256();
    image.change(4);
    QemuImg.of("snapshot", "-c", "three", image.path());
    String three = image.sha256();
    image.change(4);
    TestRepository.Point third = repository.backup(image.path(), "--snapshot", "three");
    TestRepository.Point last = repository.backup(image.path());
    assertThat(first.kind()).isEqualTo("full");
    for (TestRepository.Point point : java.util.List.of(second, active, third, last)) {
      point.assertTracked();
      assertThat(point.changedBytes()).isLessThan(24 * MIB);
    }
    assertRestores(repository, first, one);
    assertRestores(repository, second, two);
    assertRestores(repository, active, activeState);
    assertRestores(repository, third, three);
    assertRestores(repository, last, image.sha256());
  }

  @Test
  void a_snapshot_made_again_under_its_old_name_is_not_mistaken_for_the_first() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    QemuImg.of("snapshot", "-c", "s", image.path());
    repository.backup(image.path(), "--snapshot", "s");
    QemuImg.of("snapshot", "-d", "s", image.path());
    image.change(5);
    QemuImg.of("snapshot", "-c", "s", image.path());
    String again = image.sha256();
    TestRepository.Point point = repository.backup(image.path(), "--snapshot", "s");
    assertThat(point.kind()).isEqualTo("incremental");
    assertRestores(repository, point, again);
  }

  @Test
  void images_of_one_point_that_traded_places_are_not_mistaken_for_each_other() throws IOException {
    TestRepository repository = repository();
    GuestImage a = image("a.qcow2", 16 * MIB);
    GuestImage b = image("b.qcow2", 16 * MIB);
    repository.backup("vda=" + a.path(), "vdb=" + b.path());
    TestRepository.Point swapped = repository.backup("vda=" + b.path(), "vdb=" + a.path());
    assertThat(repository.restoredSha256(swapped.id(), scratch, "--disk", "vda"))
        .isEqualTo(b.sha256());
    assertThat(repository.restoredSha256(swapped.id(), scratch, "--disk", "vdb"))
        .isEqualTo(a.sha256());
  }

  @Test
  void a_users_own_bitmap_is_taken_at_their_word() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    TestRepository.Point first = repository.backup(image.path());
    QemuImg.of("bitmap", "--remove", image.path(), "cowbell:" + first.id());
    QemuImg.of("bitmap", "--add", image.path(), "mine");
    image.change(3);
    Shell.Result second = repository.tryBackup(image.path(), "--bitmap", "mine");
    assertThat(second.exit()).as(second.toString()).isEqualTo(3);
    assertThat(second.err()).contains("your word");
    TestRepository.Point point = TestRepository.Point.of(second.out());
    point.assertTracked();
    assertRestores(repository, point, image.sha256());
  }

  @Test
  void a_restored_image_with_a_bitmap_goes_on_incrementally() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 16 * MIB);
    TestRepository.Point first = repository.backup(image.path());
    image.change(5);
    TestRepository.Point second = repository.backup(image.path());
    for (TestRepository.Point point : java.util.List.of(second, first)) {
      Path restored = scratch.resolve("again-" + point.id() + ".qcow2");
      repository
          .run(
              "restore",
              "--vm",
              "web",
              "--point",
              point.id(),
              "--to",
              restored.toString(),
              "--format",
              "qcow2",
              "--track")
          .success();
      QemuImg.checkClean(restored);
      GuestImage again = new GuestImage(restored, 16 * MIB, random);
      again.change(4);
      TestRepository.Point next = repository.backup("vda=" + restored);
      next.assertTracked();
      assertThat(next.json().get("disks").get(0).get("parent").asText()).isEqualTo(point.id());
      assertRestores(repository, next, again.sha256());
    }
  }

  @Test
  void raw_and_version_2_images_are_compared_each_time_and_it_is_said() throws IOException {
    TestRepository repository = repository();
    Path raw = scratch.resolve("disk.raw");
    byte[] bytes = new byte[3 * (int) MIB + 100];
    random.nextBytes(bytes);
    Files.write(raw, bytes);
    TestRepository.Point first = repository.backup("vda=" + raw);
    assertThat(first.json().get("notes").toString()).contains("raw image holds no bitmaps");
    assertRestores(repository, first, Sha256.of(raw));
    GuestImage old = new GuestImage(scratch.resolve("old.qcow2"), "compat=0.10", 8 * MIB, random);
    old.change(5);
    TestRepository.Point second = repository.backup("vda=" + old.path());
    assertThat(second.json().get("notes").toString()).contains("version 2");
    assertRestores(repository, second, old.sha256());
    TestRepository.Point third = repository.backup("vda=" + old.path());
    assertThat(third.reason()).startsWith("rescan");
    assertThat(third.changedBytes()).isZero();
    assertRestores(repository, third, old.sha256());
  }

  @Test
  void an_image_that_qemu_holds_is_refused_with_exit_5() throws Exception {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 8 * MIB);
    Process holder =
        new ProcessBuilder("qemu-io", "-f", "qcow2", image.path().toString())
            .redirectErrorStream(true)
            .start();
    try {
      // its prompt appears when the image is open
      assertThat(holder.getInputStream().read()).isPositive();
      Shell.Result refused = repository.tryBackup(image.path());
      assertThat(refused.exit()).as(refused.toString()).isEqualTo(5);
      assertThat(refused.err()).contains("in use by another process").hasLineCount(1);
    } finally {
      holder.destroy();
      holder.waitFor();
    }
  }

  @Test
  void what_makes_no_sense_is_refused_before_anything_happens() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 8 * MIB);
    String before = Sha256.of(image.path());
    assertRefused(repository, 2, "two images", image.path(), image.path());
    assertRefused(repository, 2, "same file", "a=" + image.path(), "b=" + image.path());
    assertRefused(repository, 2, "no bitmap", image.path(), "--bitmap", "none");
    assertRefused(repository, 6, "no internal snapshot", image.path(), "--snapshot", "none");
    assertRefused(repository, 6, "no such file", scratch.resolve("absent.qcow2"));
    assertRefused(repository, 2, "not a disk name", "a b.qcow2");
    Path encrypted = scratch.resolve("secret.qcow2");
    QemuImg.of(
        "create",
        "-q",
        "-f",
        "qcow2",
        "--object",
        "secret,id=s,data=x",
        "-o",
        "encrypt.format=aes,encrypt.key-secret=s",
        encrypted,
        "4M");
    assertRefused(repository, 2, "encrypted", encrypted);
    assertThat(Sha256.of(image.path())).isEqualTo(before);
    assertThat(repository.points()).isEmpty();
  }

  private static void assertRefused(
      TestRepository repository, int exit, String because, Object... arguments) {
    Shell.Result refused = repository.tryBackup(arguments);
    assertThat(refused.exit()).as(refused.toString()).isEqualTo(exit);
    assertThat(refused.err()).contains(because).hasLineCount(1);
  }

  @Test
  void a_dry_run_says_what_and_why_and_changes_nothing() throws IOException {
    TestRepository repository = repository();
    GuestImage image = image("vda.qcow2", 8 * MIB);
    repository.backup(image.path());
    image.change(2);
    String before = Sha256.of(image.path());
    JsonNode plan = QemuImg.json(repository.tryBackup(image.path(), "--dry-run").success());
    assertThat(plan.get("disks").get(0).get("kind").asText()).isEqualTo("incremental");
    assertThat(plan.get("disks").get(0).get("bytesToCopy").asLong()).isPositive();
    assertThat(Sha256.of(image.path())).isEqualTo(before);
    assertThat(repository.points()).hasSize(1);
  }
}
