package dev.cowbell.it.backup;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.it.qemu.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The power goes at each moment of a backup: the next one is incremental, and nothing is lost. */
class KilledBackupIT {

  private static final long SIZE = 8 << 20;

  @TempDir private Path scratch;

  /** A point's state, by disk. */
  private record State(String vda, String vdb) {}

  @ParameterizedTest
  @EnumSource
  void the_next_backup_is_incremental_and_every_point_restores(Moment moment) throws IOException {
    for (int occurrence = 1; occurrence <= occurrences(moment); occurrence++) {
      Path folder = scratch.resolve(moment + "-" + occurrence);
      java.nio.file.Files.createDirectories(folder);
      kill(moment, occurrence, folder);
    }
  }

  private static int occurrences(Moment moment) {
    return switch (moment) {
      case TRACKED, UPLOADED, DIGESTED, COPIED, RETIRED -> 2;
      case LOCKED, PLANNED, COMMITTING, COMMITTED -> 1;
    };
  }

  private static void kill(Moment moment, int occurrence, Path folder) throws IOException {
    Random random = new Random(moment.name().hashCode() * 10L + occurrence);
    GuestImage vda = new GuestImage(folder.resolve("a.qcow2"), "", SIZE, random);
    GuestImage vdb = new GuestImage(folder.resolve("b.qcow2"), "", SIZE, random);
    TestRepository repository = TestRepository.create(folder.resolve("repository").toString());
    Map<String, State> states = new LinkedHashMap<>();
    Runnable change =
        () -> {
          vda.change(5);
          vdb.change(5);
        };
    change.run();
    String first = backup(repository, vda, vdb).id();
    states.put(first, state(vda, vdb));
    change.run();
    State killedState = state(vda, vdb);
    Map<String, Path> disks = new LinkedHashMap<>();
    disks.put("vda", vda.path());
    disks.put("vdb", vdb.path());
    assertThat(HaltingBackup.run(repository.url(), moment, occurrence, disks))
        .isEqualTo(HaltingBackup.HALTED);

    boolean committed = moment.compareTo(Moment.COMMITTED) >= 0;
    List<String> ids = ids(repository);
    assertThat(ids).hasSize(committed ? 2 : 1);
    if (committed) {
      states.put(ids.getLast(), killedState);
    }
    change.run();
    TestRepository.Point next = backup(repository, vda, vdb);
    states.put(next.id(), state(vda, vdb));
    assertThat(next.json().get("disks"))
        .allSatisfy(disk -> {
          assertThat(disk.get("kind").asText()).isEqualTo("incremental");
          assertThat(disk.get("reason").asText()).startsWith("bitmap");
          assertThat(disk.get("parent").asText()).isEqualTo(ids.getLast());
        });
    for (GuestImage image : List.of(vda, vdb)) {
      QemuImg.checkClean(image.path());
      assertThat(image.bitmaps()).singleElement().asString().startsWith("cowbell:" + next.id());
    }
    for (Map.Entry<String, State> state : states.entrySet()) {
      assertThat(restored(repository, state.getKey(), folder)).isEqualTo(state.getValue());
    }
    repository.assertUndamaged();
  }

  private static TestRepository.Point backup(
      TestRepository repository, GuestImage vda, GuestImage vdb) {
    return repository.backup("vda=" + vda.path(), "vdb=" + vdb.path());
  }

  private static State state(GuestImage vda, GuestImage vdb) throws IOException {
    return new State(vda.sha256(), vdb.sha256());
  }

  private static State restored(TestRepository repository, String point, Path folder)
      throws IOException {
    return new State(
        repository.restoredSha256(point, folder, "--disk", "vda"),
        repository.restoredSha256(point, folder, "--disk", "vdb"));
  }

  private static List<String> ids(TestRepository repository) {
    List<String> ids = new ArrayList<>();
    for (JsonNode point : repository.points()) {
      ids.add(point.get("id").asText());
    }
    Set<String> distinct = new HashSet<>(ids);
    assertThat(distinct).hasSameSizeAs(ids);
    return ids;
  }
}
