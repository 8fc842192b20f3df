package dev.cowbell.agent.restore;

import static dev.cowbell.agent.repository.Samples.P1;
import static dev.cowbell.agent.repository.Samples.P2;
import static dev.cowbell.agent.repository.Samples.VDA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Samples;
import dev.cowbell.agent.restore.RestorePlan.Target;
import dev.cowbell.agent.restore.RestoreRequest.Existing;
import dev.cowbell.agent.restore.RestoreRequest.Format;
import dev.cowbell.agent.restore.RestoreRequest.Tracking;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RestorePlannerTest {

  private static final DiskName VDB = new DiskName("vdb");

  @TempDir private Path folder;

  private static RestorePlan plan(RestoreRequest request) throws IOException {
    return new RestorePlanner(
            Samples.catalogue(
                Samples.manifest(P1, Samples.disk(P1, Optional.empty())),
                Samples.manifest(
                    P2,
                    Samples.disk(P2, Optional.of(P1)),
                    Samples.disk(VDB, P2, Optional.empty()))),
            request)
        .plan();
  }

  private static RestoreRequest request(Path target, Optional<DiskName> disk, Existing existing) {
    return new RestoreRequest(
        Samples.VM,
        new PointChoice.Named("latest"),
        disk,
        target,
        Format.RAW,
        existing,
        Tracking.NONE);
  }

  @Test
  void one_disk_goes_to_the_file_that_is_named() throws IOException {
    Path file = folder.resolve("disk.raw");
    RestorePlan plan = plan(request(file, Optional.of(VDA), Existing.REFUSE));
    assertThat(plan.disks()).hasSize(1);
    assertThat(plan.disks().getFirst().target()).isEqualTo(new Target.NewFile(file));
    assertThat(plan.disks().getFirst().chain().length()).isEqualTo(2);
  }

  @Test
  void several_disks_go_to_a_folder_each_under_its_name() throws IOException {
    for (Path target : new Path[] {folder, folder.resolve("new")}) {
      assertThat(plan(request(target, Optional.empty(), Existing.REFUSE)).disks())
          .extracting(disk -> disk.target().path())
          .containsExactly(target.resolve("vda.raw"), target.resolve("vdb.raw"));
    }
  }

  @Test
  void several_disks_do_not_go_to_one_file() throws IOException {
    Path file = Files.createFile(folder.resolve("disk.raw"));
    assertThatExceptionOfType(RefusedException.class)
        .isThrownBy(() -> plan(request(file, Optional.empty(), Existing.OVERWRITE)))
        .withMessageContaining("2 disks");
  }

  @Test
  void a_file_that_is_there_is_only_replaced_when_asked_to() throws IOException {
    Path file = Files.createFile(folder.resolve("disk.raw"));
    assertThatExceptionOfType(FileAlreadyExistsException.class)
        .isThrownBy(() -> plan(request(file, Optional.of(VDA), Existing.REFUSE)));
    RestorePlan plan = plan(request(file, Optional.of(VDA), Existing.OVERWRITE));
    assertThat(plan.disks().getFirst().target()).isInstanceOf(Target.ReplacedFile.class);
  }

  @Test
  void a_link_to_nowhere_counts_as_there() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("nowhere"));
    assertThatExceptionOfType(FileAlreadyExistsException.class)
        .isThrownBy(() -> plan(request(link, Optional.of(VDA), Existing.REFUSE)));
  }

  @Test
  void only_files_and_block_devices_are_written_to() {
    assertThatExceptionOfType(RefusedException.class)
        .isThrownBy(() -> plan(request(Path.of("/dev/null"), Optional.of(VDA), Existing.OVERWRITE)))
        .withMessageContaining("neither a regular file nor a block device");
  }

  @Test
  void an_unknown_disk_is_not_found() {
    assertThatExceptionOfType(NotFoundException.class)
        .isThrownBy(() ->
            plan(request(folder.resolve("x"), Optional.of(new DiskName("vdz")), Existing.REFUSE)))
        .withMessageContaining("vdz");
  }

  @Test
  void a_raw_image_can_not_be_tracked() {
    assertThatExceptionOfType(RefusedException.class)
        .isThrownBy(() ->
            plan(
                new RestoreRequest(
                    Samples.VM,
                    new PointChoice.Named("latest"),
                    Optional.of(VDA),
                    folder.resolve("x"),
                    Format.RAW,
                    Existing.REFUSE,
                    Tracking.ADD)))
        .withMessageContaining("qcow2");
  }

  @Test
  void a_tracked_result_gets_the_bitmap_that_the_manifest_names() throws IOException {
    RestorePlan plan =
        plan(
            new RestoreRequest(
                Samples.VM,
                new PointChoice.Named(P1.value()),
                Optional.empty(),
                folder.resolve("x"),
                Format.QCOW2,
                Existing.REFUSE,
                Tracking.ADD));
    assertThat(plan.disks().getFirst().tracking().orElseThrow().bitmap())
        .isEqualTo("cowbell:" + P1);
  }
}
