package dev.cowbell.storage.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectStoreContract;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.StoreException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DirectoryStoreTest extends ObjectStoreContract {

  private static final ObjectKey KEY = new ObjectKey("vms/web/lease.json");

  @TempDir Path temp;

  private Path root = Path.of("");

  @Override
  protected ObjectStore emptyStore() throws IOException {
    root = temp.resolve("deep/er/repo");
    return DirectoryStore.create(root, InstantSource.system());
  }

  @Test
  void opens_only_what_is_there() throws IOException {
    assertThatThrownBy(() -> DirectoryStore.open(temp.resolve("none"), InstantSource.system()))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("none does not exist");
    Path file = Files.writeString(temp.resolve("file"), "x");
    assertThatThrownBy(() -> DirectoryStore.open(file, InstantSource.system()))
        .hasMessageContaining("not a directory");
    assertThatThrownBy(() -> DirectoryStore.create(file.resolve("x"), InstantSource.system()))
        .isInstanceOf(StoreException.class);
  }

  @Test
  void reads_without_writing_anything() throws IOException {
    Path plain = Files.createDirectories(temp.resolve("plain/vms/web"));
    Files.writeString(plain.resolve("lease.json"), "lease");
    try (ObjectStore reader = DirectoryStore.open(temp.resolve("plain"), InstantSource.system())) {
      assertThat(array(reader.get(KEY, 100).body())).isEqualTo(array(text("lease")));
      assertThat(reader.sweepUploads("", Duration.ZERO)).isZero();
    }
    assertThat(temp.resolve("plain/.cowbell")).doesNotExist();
  }

  @Test
  void stores_an_object_as_the_file_of_its_name() throws IOException {
    store.put(KEY, text("lease"), Precondition.NONE);

    assertThat(root.resolve("vms/web/lease.json")).hasContent("lease");
  }

  @Test
  void leaves_no_empty_folders_behind() throws IOException {
    store.put(KEY, text("lease"), Precondition.NONE);
    store.put(new ObjectKey("vms/db/lease.json"), text("lease"), Precondition.NONE);

    store.delete(List.of(KEY));

    assertThat(root.resolve("vms/web")).doesNotExist();
    assertThat(root.resolve("vms/db/lease.json")).exists();
    store.put(KEY, text("again"), Precondition.IF_ABSENT);
    assertThat(root.resolve("vms/web/lease.json")).hasContent("again");
  }

  @Test
  void tells_versions_apart_when_the_clock_stands_still_or_runs_backwards() throws IOException {
    Instant[] now = {Instant.parse("2026-03-01T00:00:00Z")};
    try (ObjectStore slow = DirectoryStore.open(root, () -> now[0])) {
      ETag one = slow.put(KEY, text("1"), Precondition.NONE).etag();
      ETag two = slow.put(KEY, text("2"), Precondition.ifMatch(one)).etag();
      now[0] = now[0].minusSeconds(3600);
      ObjectInfo three = slow.put(KEY, text("3"), Precondition.ifMatch(two));

      assertThat(List.of(one, two, three.etag())).doesNotHaveDuplicates();
      assertThatThrownBy(() -> slow.put(KEY, text("4"), Precondition.ifMatch(one)))
          .isInstanceOf(StoreException.class);
      assertThat(three.lastModified()).isAfter(now[0]);
    }
  }

  @Test
  void never_follows_a_symbolic_link() throws IOException {
    Path outside = Files.createDirectories(temp.resolve("outside"));
    Files.writeString(outside.resolve("secret"), "secret");
    Files.createSymbolicLink(root.resolve("folder"), outside);
    Files.createSymbolicLink(root.resolve("file"), outside.resolve("secret"));
    ObjectKey inFolder = new ObjectKey("folder/secret");
    ObjectKey file = new ObjectKey("file");

    for (ObjectKey key : List.of(inFolder, file)) {
      assertThatThrownBy(() -> store.get(key, 100)).hasMessageContaining("symbolic link");
      assertThatThrownBy(() -> store.stat(key)).hasMessageContaining("symbolic link");
      assertThatThrownBy(() -> store.put(key, text("x"), Precondition.NONE))
          .hasMessageContaining("symbolic link");
      assertThatThrownBy(() -> store.delete(List.of(key))).hasMessageContaining("symbolic link");
    }
    assertThatThrownBy(() -> store.list("folder/").close()).hasMessageContaining("symbolic link");
    assertThat(listed("")).isEmpty();
    assertThat(outside.resolve("secret")).hasContent("secret");
  }

  @Test
  void does_not_put_its_own_files_behind_a_symbolic_link() throws IOException {
    Path outside = Files.createDirectories(temp.resolve("outside"));
    Files.createSymbolicLink(root.resolve(".cowbell"), outside);

    assertThatThrownBy(() -> store.put(KEY, text("x"), Precondition.NONE))
        .hasMessageContaining("symbolic link");
    assertThat(outside).isEmptyDirectory();
  }

  @Test
  void lists_only_what_is_an_object() throws IOException {
    store.put(KEY, text("x"), Precondition.NONE);
    Files.writeString(root.resolve("vms/.hidden"), "x");
    Files.writeString(root.resolve("vms/with space"), "x");
    Files.createDirectories(root.resolve("vms/empty"));
    try (ObjectUpload upload = store.begin(new ObjectKey("vms/b"), 0, Precondition.NONE)) {
      upload.append(text("x"));
      assertThat(listed("")).containsExactly(KEY.value());
    }
  }

  @Test
  void says_that_a_folder_is_no_object() throws IOException {
    store.put(KEY, text("x"), Precondition.NONE);

    assertThatThrownBy(() -> store.put(new ObjectKey("vms/web"), text("x"), Precondition.NONE))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("a directory");
    assertThat(store.stat(new ObjectKey("vms/web/lease.json/x"))).isEmpty();
  }

  @Test
  void reads_a_version_that_is_replaced_meanwhile_whole_or_not_at_all() throws Exception {
    ETag etag = store.put(KEY, ByteBuffer.wrap(bytes(0, MIB)), Precondition.NONE).etag();
    Thread writer =
        Thread.ofVirtual()
            .start(() -> {
              try {
                for (int i = 1; i < 30; i++) {
                  store.put(KEY, ByteBuffer.wrap(bytes(i, MIB)), Precondition.NONE);
                }
              } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
              }
            });
    int read = 0;
    try {
      while (true) {
        ByteBuffer whole = ByteBuffer.allocate(MIB);
        store.read(KEY, 0, whole, Optional.of(etag));
        assertThat(java.util.Arrays.equals(whole.array(), bytes(0, MIB))).isTrue();
        read++;
      }
    } catch (dev.cowbell.storage.PreconditionFailedException e) {
      assertThat(read).isNotNegative();
    }
    writer.join();
    assertThat(contentOf(KEY)).isEqualTo(bytes(29, MIB));
  }

  @Test
  void sweeps_what_a_dead_process_left_but_not_what_is_under_way() throws IOException {
    store.put(KEY, text("x"), Precondition.NONE);
    Path left = Files.writeString(root.resolve(".cowbell/uploads/0123456789abcdef-1"), "half");
    try (ObjectUpload upload = store.begin(new ObjectKey("new"), 0, Precondition.NONE)) {
      upload.append(text("half"));

      assertThat(store.sweepUploads("", Duration.ofDays(7))).isEqualTo(1);

      assertThat(left).doesNotExist();
      upload.commit(ByteBuffer.allocate(0));
    }
    assertThat(listed("")).containsExactly("new", KEY.value());
  }

  @Test
  void survives_being_copied_to_another_place() throws Exception {
    ETag etag = store.put(KEY, text("x"), Precondition.NONE).etag();
    Path copy = temp.resolve("copy/vms/web");
    Files.createDirectories(copy);
    Files.copy(
        root.resolve(KEY.value()),
        copy.resolve("lease.json"),
        java.nio.file.StandardCopyOption.COPY_ATTRIBUTES);

    try (ObjectStore copied = DirectoryStore.open(temp.resolve("copy"), InstantSource.system());
        Stream<ObjectInfo> all = copied.list("")) {
      assertThat(all.map(ObjectInfo::etag)).containsExactly(etag);
    }
  }
}
