package dev.cowbell.agent.repository;

import static dev.cowbell.agent.repository.Samples.P1;
import static dev.cowbell.agent.repository.Samples.P2;
import static dev.cowbell.agent.repository.Samples.P3;
import static dev.cowbell.agent.repository.Samples.VM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RepositoryTest {

  private static final Clock CLOCK =
      Clock.fixed(Instant.parse("2026-01-01T00:00:00Z"), ZoneOffset.UTC);

  @TempDir private Path root;

  private DirectoryStore store() throws IOException {
    return DirectoryStore.create(root, CLOCK);
  }

  private Repository repository() throws IOException {
    Repository.init(store(), CLOCK);
    return Repository.adopt(store());
  }

  private static Manifest manifest(Repository repository, PointId point) {
    Manifest sample = Samples.manifest(point, Samples.disk(point, Optional.empty()));
    return new Manifest(
        repository.descriptor().id(),
        sample.vm(),
        point,
        sample.time(),
        sample.consistency(),
        sample.labels(),
        sample.pinned(),
        sample.agent(),
        sample.host(),
        sample.disks());
  }

  @Test
  void init_is_harmless_where_a_repository_is() throws IOException {
    Repository.Initialised first = Repository.init(store(), CLOCK);
    Repository.Initialised second = Repository.init(store(), CLOCK);
    assertThat(first.created()).isTrue();
    assertThat(second.created()).isFalse();
    assertThat(second.descriptor()).isEqualTo(first.descriptor());
  }

  @Test
  void says_how_to_make_a_repository_where_there_is_none() {
    assertThatExceptionOfType(NotFoundException.class)
        .isThrownBy(() -> Repository.adopt(store()))
        .satisfies(e -> assertThat(e.hint()).get().asString().contains("init"));
  }

  @Test
  void refuses_a_damaged_description() throws IOException {
    Repository.init(store(), CLOCK);
    Path file = root.resolve("cowbell.json");
    byte[] bytes = Files.readAllBytes(file);
    bytes[20] ^= 1;
    Files.write(file, bytes);
    assertThatExceptionOfType(DamagedObjectException.class)
        .isThrownBy(() -> Repository.adopt(store()))
        .withMessageContaining("cowbell.json");
  }

  @Test
  void a_committed_point_is_listed_and_another_of_its_id_refused() throws IOException {
    try (Repository repository = repository()) {
      repository.commit(manifest(repository, P1));
      repository.commit(manifest(repository, P2));
      assertThat(repository.catalogue(VM).points())
          .containsExactly(manifest(repository, P1), manifest(repository, P2));
      assertThat(repository.vms()).containsExactly(VM);
      Manifest other =
          new Manifest(
              repository.descriptor().id(),
              VM,
              P1,
              Instant.EPOCH,
              Consistency.CRASH,
              java.util.Map.of(),
              false,
              "",
              "",
              manifest(repository, P1).disks());
      assertThatExceptionOfType(PreconditionFailedException.class)
          .isThrownBy(() -> repository.commit(other));
      assertThat(repository.catalogue(VM).points()).contains(manifest(repository, P1));
    }
  }

  @Test
  void committing_the_same_manifest_again_succeeds_as_after_a_lost_answer() throws IOException {
    try (Repository repository = repository()) {
      repository.commit(manifest(repository, P1));
      repository.commit(manifest(repository, P1));
      assertThat(repository.catalogue(VM).points()).hasSize(1);
    }
  }

  @Test
  void damaged_misplaced_foreign_and_oversized_manifests_are_listed_apart() throws IOException {
    try (Repository repository = repository()) {
      repository.commit(manifest(repository, P1));
      put(repository, Layout.manifest(VM, P2), ManifestCodec.encode(manifest(repository, P1)));
      Manifest foreign = Samples.manifest(P3, Samples.disk(P3, Optional.empty()));
      put(repository, Layout.manifest(VM, P3), ManifestCodec.encode(foreign));
      PointId large = new PointId("20260104T000000Z-0000");
      put(repository, Layout.manifest(VM, large), new byte[SealedJson.MAX_SIZE + 1]);
      put(repository, new ObjectKey("vms/web/points/notes.json"), new byte[1]);
      Catalogue catalogue = repository.catalogue(VM);
      assertThat(catalogue.points()).extracting(Manifest::point).containsExactly(P1);
      assertThat(catalogue.unreadable())
          .extracting(Catalogue.Unreadable::problem)
          .satisfiesExactly(
              p2 -> assertThat(p2).contains("is the manifest of web " + P1),
              p3 -> assertThat(p3).contains("another repository"),
              l -> assertThat(l).contains("at most 4194304"));
      assertThat(catalogue.newestId()).contains(large);
    }
  }

  private static void put(Repository repository, ObjectKey key, byte[] bytes) throws IOException {
    repository.store().put(key, ByteBuffer.wrap(bytes), Precondition.NONE);
  }
}
