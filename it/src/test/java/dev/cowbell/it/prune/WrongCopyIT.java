package dev.cowbell.it.prune;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.prune.Prune;
import dev.cowbell.agent.prune.PruneMoment;
import dev.cowbell.agent.prune.PruneReport;
import dev.cowbell.agent.prune.PruneSettings;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.it.backup.TestRepository;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.overlay.MergeLimits;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A store that says it copied a range, and has copied something else. */
class WrongCopyIT {

  private static final int MIB = 1 << 20;

  @TempDir private Path scratch;

  /** What stands where a range should. */
  enum Wrong {
    ZEROES,
    SHIFTED,
    FIRST_HALF_TWICE,
    OTHER_OBJECT
  }

  @ParameterizedTest
  @EnumSource
  void nothing_is_removed_when_a_copied_range_holds_something_else(Wrong wrong) throws IOException {
    TestRepository repository = TestRepository.create(scratch.resolve("repository").toString());
    Path image = image();
    repository.backup(image);
    QemuIo.of(image, List.of("write -s " + random(2, 2) + " 4M 2M"));
    repository.backup(image);
    Path overlays = scratch.resolve("repository/vms/web/disks/vda");
    List<Path> before = overlays(overlays);
    assertThat(before).hasSize(2);
    byte[] parent = Files.readAllBytes(before.getFirst());

    for (boolean honest : new boolean[] {false, true}) {
      PruneReport report = prune(repository, honest ? Optional.empty() : Optional.of(wrong));
      assertThat(report.problems())
          .isNotEmpty()
          .allSatisfy(problem ->
              assertThat(problem).contains("is not what was written when it was merged"));
      assertThat(report.removed()).isEmpty();
      assertThat(Files.readAllBytes(before.getFirst())).isEqualTo(parent);
    }
    assertThat(repository.run("verify", "--level", "data").exit()).isEqualTo(4);
  }

  private static List<Path> overlays(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".qcow2")).sorted().toList();
    }
  }

  private Path image() throws IOException {
    Path image = scratch.resolve("vda.qcow2");
    QemuImg.create(image, "", 64 * MIB);
    QemuIo.of(image, List.of("write -s " + random(1, 40) + " 0 40M"));
    return image;
  }

  private Path random(int seed, int mebibytes) throws IOException {
    byte[] bytes = new byte[mebibytes * MIB];
    new Random(seed).nextBytes(bytes);
    return Files.write(scratch.resolve("random" + seed), bytes);
  }

  private static PruneReport prune(TestRepository repository, Optional<Wrong> wrong)
      throws IOException {
    ObjectStore store =
        StoreUrl.parse(repository.url()).open(StoreUrl.Missing.REFUSE, Clock.systemUTC());
    try (Repository open =
        Repository.adopt(wrong.isPresent() ? copyingWrongly(store, wrong.get()) : store)) {
      return new Prune(
              open,
              new PruneSettings(
                  Clock.systemUTC(),
                  "test",
                  MergeLimits.USUAL,
                  Progress.NONE,
                  new Cancellation(),
                  PruneMoment.Observer.NONE))
          .run(new VmName("web"), HaltingPrune.keepLast(1, 0));
    }
  }

  private static ObjectStore copyingWrongly(ObjectStore store, Wrong wrong) {
    return (ObjectStore)
        Proxy.newProxyInstance(
            ObjectStore.class.getClassLoader(),
            new Class<?>[] {ObjectStore.class},
            (_, method, arguments) -> {
              Object result = call(store, method, arguments);
              return result instanceof ObjectUpload upload
                  ? new WrongUpload(upload, store, wrong)
                  : result;
            });
  }

  private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  /** Appends as many bytes as it was told to copy, but not those. */
  private record WrongUpload(ObjectUpload upload, ObjectStore store, Wrong wrong)
      implements ObjectUpload {

    @Override
    public void append(ByteBuffer body) throws IOException {
      upload.append(body);
    }

    @Override
    public void appendCopy(ObjectKey source, long at, long length, ETag ifMatch)
        throws IOException {
      ByteBuffer range = ByteBuffer.allocate((int) length);
      switch (wrong) {
        case ZEROES -> range.position(range.limit());
        case SHIFTED -> store.read(source, at - 512, range, Optional.of(ifMatch));
        case FIRST_HALF_TWICE -> {
          store.read(source, at, range.limit((int) length / 2), Optional.of(ifMatch));
          store.read(source, at, range.limit((int) (length / 2 * 2)), Optional.of(ifMatch));
          range.limit((int) length).position(range.limit());
        }
        case OTHER_OBJECT -> new Random(length).nextBytes(range.array());
      }
      upload.append(range.rewind());
    }

    @Override
    public dev.cowbell.storage.ObjectInfo commit(ByteBuffer head) throws IOException {
      return upload.commit(head);
    }

    @Override
    public void close() {
      upload.close();
    }
  }
}
