package dev.cowbell.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every store has to do. Each implementation is held to it by a subclass. */
public abstract class ObjectStoreContract {

  protected static final int MIB = 1 << 20;

  private static final ObjectKey KEY = new ObjectKey("vms/web/disks/root/one.qcow2");
  private static final ObjectKey OTHER = new ObjectKey("vms/web/disks/root/two.qcow2");

  protected ObjectStore store;

  /** A store with nothing in it. */
  protected abstract ObjectStore emptyStore() throws IOException;

  /** Whether of writers who race to replace the same version one alone succeeds. */
  protected boolean replacesAtomically() {
    return true;
  }

  @BeforeEach
  void openStore() throws IOException {
    store = emptyStore();
  }

  @AfterEach
  void closeStore() throws IOException {
    store.close();
  }

  // ---- put, get, stat

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4096, 3 * MIB + 17})
  void gives_back_what_was_put(int length) throws IOException {
    byte[] body = bytes(length, length);

    ObjectInfo put = store.put(KEY, ByteBuffer.wrap(body), Precondition.NONE);

    StoredObject got = store.get(KEY, length);
    assertThat(array(got.body())).isEqualTo(body);
    assertThat(put.size()).isEqualTo(length);
    assertThat(got.info().etag()).isEqualTo(put.etag());
    assertThat(store.stat(KEY).orElseThrow().etag()).isEqualTo(put.etag());
    assertThat(store.stat(KEY).orElseThrow().size()).isEqualTo(length);
  }

  @Test
  void puts_the_part_of_a_buffer_between_position_and_limit() throws IOException {
    ByteBuffer direct = ByteBuffer.allocateDirect(100).put(bytes(1, 100)).position(10).limit(60);

    store.put(KEY, direct, Precondition.NONE);

    assertThat(direct.position()).isEqualTo(10);
    assertThat(direct.limit()).isEqualTo(60);
    assertThat(contentOf(KEY)).isEqualTo(Arrays.copyOfRange(bytes(1, 100), 10, 60));
  }

  @Test
  void replaces_an_object_and_its_version() throws IOException {
    ObjectInfo one = store.put(KEY, text("one"), Precondition.NONE);
    ObjectInfo two = store.put(KEY, text("two"), Precondition.NONE);

    assertThat(two.etag()).isNotEqualTo(one.etag());
    assertThat(contentOf(KEY)).isEqualTo(array(text("two")));
  }

  @Test
  void never_shows_the_same_version_twice() throws IOException {
    List<ETag> versions = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      versions.add(store.put(KEY, text("%04d".formatted(i)), Precondition.NONE).etag());
    }
    assertThat(versions).doesNotHaveDuplicates();
  }

  @Test
  void knows_nothing_of_an_object_that_is_not_there() throws IOException {
    assertThat(store.stat(KEY)).isEmpty();
    assertThatThrownBy(() -> store.get(KEY, 10)).isInstanceOf(ObjectNotFoundException.class);
    assertThatThrownBy(() -> store.read(KEY, 0, ByteBuffer.allocate(1), Optional.empty()))
        .isInstanceOf(ObjectNotFoundException.class);
  }

  @Test
  void refuses_to_get_more_than_the_limit() throws IOException {
    store.put(KEY, ByteBuffer.allocate(11), Precondition.NONE);

    assertThatThrownBy(() -> store.get(KEY, 10))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("11")
        .hasMessageContaining("10");
  }

  // ---- read

  @ParameterizedTest
  @CsvSource({"0,100", "0,1", "99,1", "37,20", "100,0"})
  void reads_a_range(int at, int length) throws IOException {
    byte[] body = bytes(5, 100);
    ETag etag = store.put(KEY, ByteBuffer.wrap(body), Precondition.NONE).etag();
    ByteBuffer heap = ByteBuffer.allocate(length + 10).position(3).limit(3 + length);
    ByteBuffer direct = ByteBuffer.allocateDirect(length + 10).position(3).limit(3 + length);

    store.read(KEY, at, heap, Optional.of(etag));
    store.read(KEY, at, direct, Optional.empty());

    byte[] wanted = Arrays.copyOfRange(body, at, at + length);
    assertThat(array(heap.flip().position(3))).isEqualTo(wanted);
    assertThat(array(direct.flip().position(3))).isEqualTo(wanted);
  }

  @ParameterizedTest
  @CsvSource({"0,101", "99,2", "100,1", "1000,5"})
  void says_when_an_object_ends_before_the_range_does(int at, int length) throws IOException {
    store.put(KEY, ByteBuffer.wrap(bytes(5, 100)), Precondition.NONE);

    assertThatThrownBy(() -> store.read(KEY, at, ByteBuffer.allocate(length), Optional.empty()))
        .isInstanceOf(StoreException.class)
        .isNotInstanceOf(StoreUnavailableException.class)
        .hasMessageContaining(KEY.value());
  }

  @Test
  void refuses_to_read_another_version() throws IOException {
    ETag old = store.put(KEY, text("one"), Precondition.NONE).etag();
    store.put(KEY, text("two"), Precondition.NONE);

    assertThatThrownBy(() -> store.read(KEY, 0, ByteBuffer.allocate(3), Optional.of(old)))
        .isInstanceOf(PreconditionFailedException.class);
  }

  @Test
  void serves_a_hundred_ranges_at_once() throws Exception {
    byte[] body = bytes(9, 2 * MIB);
    ETag etag = store.put(KEY, ByteBuffer.wrap(body), Precondition.NONE).etag();

    List<ByteBuffer> ranges =
        together(
            100,
            i -> {
              ByteBuffer range = ByteBuffer.allocate(20_000);
              store.read(KEY, i * 20_000L, range, Optional.of(etag));
              return range.flip();
            });

    for (int i = 0; i < 100; i++) {
      assertThat(ranges.get(i)).isEqualTo(ByteBuffer.wrap(body, i * 20_000, 20_000).slice());
    }
  }

  // ---- conditions

  @Test
  void creates_only_what_is_absent() throws IOException {
    store.put(KEY, text("first"), Precondition.IF_ABSENT);

    assertThatThrownBy(() -> store.put(KEY, text("second"), Precondition.IF_ABSENT))
        .isInstanceOf(PreconditionFailedException.class);
    assertThat(contentOf(KEY)).isEqualTo(array(text("first")));
  }

  @Test
  void replaces_only_the_version_that_is_meant() throws IOException {
    ETag first = store.put(KEY, text("first"), Precondition.NONE).etag();
    store.put(KEY, text("second"), Precondition.ifMatch(first));

    assertThatThrownBy(() -> store.put(KEY, text("third"), Precondition.ifMatch(first)))
        .isInstanceOf(PreconditionFailedException.class);
    assertThat(contentOf(KEY)).isEqualTo(array(text("second")));
  }

  @Test
  void replaces_nothing_that_is_absent() throws IOException {
    ETag gone = store.put(KEY, text("first"), Precondition.NONE).etag();
    store.delete(List.of(KEY));

    assertThatThrownBy(() -> store.put(KEY, text("second"), Precondition.ifMatch(gone)))
        .isInstanceOf(PreconditionFailedException.class);
    assertThat(store.stat(KEY)).isEmpty();
  }

  @Test
  void lets_one_of_many_racers_create_an_object() throws Exception {
    for (int round = 0; round < 5; round++) {
      ObjectKey key = new ObjectKey("race/" + round);
      List<Optional<Integer>> winners =
          together(16, i -> won(key, "racer %02d".formatted(i), Precondition.IF_ABSENT, i));

      assertThat(winners.stream().flatMap(Optional::stream)).hasSize(1);
      int winner = winners.stream().flatMap(Optional::stream).findFirst().orElseThrow();
      assertThat(contentOf(key)).isEqualTo(array(text("racer %02d".formatted(winner))));
    }
  }

  @Test
  void lets_one_of_many_racers_replace_a_version() throws Exception {
    ETag old = store.put(KEY, text("racer --"), Precondition.NONE).etag();
    List<Optional<Integer>> winners =
        together(16, i -> won(KEY, "racer %02d".formatted(i), Precondition.ifMatch(old), i));

    assertThat(winners.stream().flatMap(Optional::stream)).isNotEmpty();
    if (replacesAtomically()) {
      assertThat(winners.stream().flatMap(Optional::stream)).hasSize(1);
    }
    assertThat(winners.stream().flatMap(Optional::stream).map("racer %02d"::formatted))
        .contains(new String(contentOf(KEY), StandardCharsets.UTF_8));
  }

  private Optional<Integer> won(ObjectKey key, String body, Precondition precondition, int me)
      throws IOException {
    try {
      store.put(key, text(body), precondition);
      return Optional.of(me);
    } catch (PreconditionFailedException e) {
      return Optional.empty();
    }
  }

  // ---- list, delete

  @Test
  void lists_in_key_order() throws IOException {
    List<String> keys = List.of("a-b", "a.b", "a/b", "a/b.c", "a/bc/d", "a0", "aB", "b/a", "b/c/d");
    List<String> shuffled = new ArrayList<>(keys);
    Collections.shuffle(shuffled, new Random(1));
    for (String key : shuffled) {
      store.put(new ObjectKey(key), text(key), Precondition.NONE);
    }

    assertThat(listed("")).isEqualTo(keys);
    assertThat(listed("a")).isEqualTo(keys.subList(0, 7));
    assertThat(listed("a/")).isEqualTo(List.of("a/b", "a/b.c", "a/bc/d"));
    assertThat(listed("a/b")).isEqualTo(List.of("a/b", "a/b.c", "a/bc/d"));
    assertThat(listed("a/bc/")).isEqualTo(List.of("a/bc/d"));
    assertThat(listed("c")).isEmpty();
    assertThat(listed("a/b/c/d")).isEmpty();
    for (int i = 0; i < keys.size(); i++) {
      assertThat(listedAfter("", keys.get(i))).isEqualTo(keys.subList(i + 1, keys.size()));
    }
    assertThat(listedAfter("b", "a/b")).isEqualTo(List.of("b/a", "b/c/d"));
  }

  @Test
  void lists_what_stat_tells() throws IOException {
    store.put(KEY, text("some bytes"), Precondition.NONE);

    try (Stream<ObjectInfo> all = store.list("")) {
      ObjectInfo listed = all.findFirst().orElseThrow();
      ObjectInfo known = store.stat(KEY).orElseThrow();
      assertThat(listed.key()).isEqualTo(known.key());
      assertThat(listed.size()).isEqualTo(known.size());
      assertThat(listed.etag()).isEqualTo(known.etag());
      assertThat(Duration.between(listed.lastModified(), known.lastModified()).abs())
          .isLessThan(Duration.ofSeconds(1));
    }
  }

  @Test
  void lists_and_deletes_more_than_a_page() throws Exception {
    List<ObjectKey> keys =
        IntStream.range(0, 1_050).mapToObj(i -> new ObjectKey("many/%05d".formatted(i))).toList();
    together(
        21,
        worker -> {
          for (int i = worker; i < keys.size(); i += 21) {
            store.put(keys.get(i), text("x"), Precondition.NONE);
          }
          return worker;
        });

    assertThat(listed("many/")).isEqualTo(keys.stream().map(ObjectKey::value).toList());

    store.delete(keys);
    assertThat(listed("")).isEmpty();
  }

  @Test
  void refuses_a_prefix_that_no_key_has() {
    for (String prefix : List.of("/", "../", ".hidden", "a//", "a/../b")) {
      assertThatIllegalArgumentException().as(prefix).isThrownBy(() -> store.list(prefix).close());
    }
  }

  @Test
  void counts_absent_objects_as_deleted() throws IOException {
    store.put(KEY, text("x"), Precondition.NONE);

    store.delete(List.of(OTHER, KEY));
    store.delete(List.of(KEY));
    store.delete(List.of());

    assertThat(store.stat(KEY)).isEmpty();
  }

  // ---- upload

  @ParameterizedTest
  @CsvSource({
    "0,0",
    "10,0",
    "0,10",
    "4096,100000",
    "65536,8323072",
    "65536,8323073",
    "0,8388608",
    "6291456,1",
    "2097152,18000000"
  })
  void puts_the_head_before_the_body(int headLength, int bodyLength) throws IOException {
    byte[] head = bytes(1, headLength);
    byte[] body = bytes(2, bodyLength);
    ObjectInfo info;
    try (ObjectUpload upload = store.begin(KEY, headLength, Precondition.NONE)) {
      for (int at = 0; at < bodyLength; at += 1_000_000) {
        upload.append(ByteBuffer.wrap(body, at, Math.min(1_000_000, bodyLength - at)));
      }
      info = upload.commit(ByteBuffer.wrap(head));
    }

    assertThat(info.size()).isEqualTo(headLength + bodyLength);
    assertThat(store.stat(KEY).orElseThrow().etag()).isEqualTo(info.etag());
    assertThat(Arrays.equals(contentOf(KEY), concat(head, body))).isTrue();
  }

  @Test
  void lets_the_caller_reuse_the_buffer_after_append() throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(MIB);
    byte[] wanted = new byte[20 * MIB];
    try (ObjectUpload upload = store.begin(KEY, 0, Precondition.NONE)) {
      for (int i = 0; i < 20; i++) {
        byte[] piece = bytes(i, MIB);
        System.arraycopy(piece, 0, wanted, i * MIB, MIB);
        upload.append(buffer.clear().put(piece).flip());
        assertThat(buffer.hasRemaining()).isFalse();
        buffer.clear().put(new byte[MIB]);
      }
      upload.commit(ByteBuffer.allocate(0));
    }

    assertThat(Arrays.equals(contentOf(KEY), wanted)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {1000, 20 * MIB})
  void shows_nothing_before_the_commit(int length) throws IOException {
    try (ObjectUpload upload = store.begin(KEY, 4, Precondition.NONE)) {
      upload.append(ByteBuffer.wrap(bytes(1, length)));
      assertThat(store.stat(KEY)).isEmpty();
      assertThat(listed("")).isEmpty();
      upload.commit(text("head"));
    }
    assertThat(store.stat(KEY)).isPresent();
  }

  @ParameterizedTest
  @ValueSource(ints = {1000, 20 * MIB})
  void leaves_nothing_of_an_upload_that_is_given_up(int length) throws IOException {
    store.put(KEY, text("old"), Precondition.NONE);
    try (ObjectUpload upload = store.begin(KEY, 4, Precondition.NONE)) {
      upload.append(ByteBuffer.wrap(bytes(1, length)));
    }

    assertThat(contentOf(KEY)).isEqualTo(array(text("old")));
    assertThat(store.sweepUploads("", Duration.ZERO)).isZero();
    assertThat(listed("")).containsExactly(KEY.value());
  }

  @Test
  void shows_readers_the_old_object_or_the_new_one() throws Exception {
    byte[] old = bytes(1, 9 * MIB);
    byte[] changed = bytes(2, 9 * MIB);
    ETag etag = store.put(KEY, ByteBuffer.wrap(old), Precondition.NONE).etag();
    try (ObjectUpload upload = store.begin(KEY, 0, Precondition.ifMatch(etag))) {
      upload.append(ByteBuffer.wrap(changed));
      assertThat(Arrays.equals(contentOf(KEY), old)).isTrue();
      upload.commit(ByteBuffer.allocate(0));
    }

    assertThat(Arrays.equals(contentOf(KEY), changed)).isTrue();
    assertThatThrownBy(() -> store.read(KEY, 0, ByteBuffer.allocate(1), Optional.of(etag)))
        .isInstanceOf(PreconditionFailedException.class);
  }

  @Test
  void looks_at_the_condition_when_an_upload_begins() throws IOException {
    store.put(KEY, text("there"), Precondition.NONE);

    assertThatThrownBy(() -> store.begin(KEY, 0, Precondition.IF_ABSENT).close())
        .isInstanceOf(PreconditionFailedException.class);
    assertThatThrownBy(() -> store.begin(OTHER, 0, Precondition.ifMatch(new ETag("none"))).close())
        .isInstanceOf(PreconditionFailedException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {1000, 20 * MIB})
  void looks_at_the_condition_again_at_the_commit(int length) throws IOException {
    try (ObjectUpload upload = store.begin(KEY, 4, Precondition.IF_ABSENT)) {
      upload.append(ByteBuffer.wrap(bytes(1, length)));
      store.put(KEY, text("in between"), Precondition.NONE);

      assertThatThrownBy(() -> upload.commit(text("head")))
          .isInstanceOf(PreconditionFailedException.class);
    }
    assertThat(contentOf(KEY)).isEqualTo(array(text("in between")));
    assertThat(store.sweepUploads("", Duration.ZERO)).isZero();
  }

  @Test
  void keeps_to_the_announced_head() throws IOException {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> store.begin(KEY, -1, Precondition.NONE).close());
    try (ObjectUpload upload = store.begin(KEY, 4, Precondition.NONE)) {
      assertThatIllegalArgumentException().isThrownBy(() -> upload.commit(text("long head")));
    }
    assertThat(store.stat(KEY)).isEmpty();
  }

  @Test
  void takes_nothing_more_after_commit_or_close() throws IOException {
    ObjectUpload upload = store.begin(KEY, 0, Precondition.NONE);
    upload.commit(ByteBuffer.allocate(0));
    assertThatIllegalStateException().isThrownBy(() -> upload.append(text("more")));
    upload.close();
    upload.close();
    assertThat(store.stat(KEY)).isPresent();
  }

  // ---- copies

  @ParameterizedTest
  @CsvSource({
    "0,0,1000",
    "4096,0,5242880",
    "4096,100,5242881",
    "65536,6000000,10485760",
    "0,0,20971519",
    "0,9000000,6000000",
    "6291456,0,5242880",
    "100,7,0"
  })
  void copies_ranges_of_another_object(int headLength, int before, int length) throws IOException {
    byte[] source = bytes(3, 20 * MIB);
    ETag etag = store.put(OTHER, ByteBuffer.wrap(source), Precondition.NONE).etag();
    byte[] head = bytes(4, headLength);
    byte[] body = bytes(5, before);
    byte[] tail = bytes(6, 100_000);
    try (ObjectUpload upload = store.begin(KEY, headLength, Precondition.NONE)) {
      upload.append(ByteBuffer.wrap(body));
      upload.appendCopy(OTHER, 1, length, etag);
      upload.append(ByteBuffer.wrap(tail));
      upload.commit(ByteBuffer.wrap(head));
    }

    byte[] copied = Arrays.copyOfRange(source, 1, 1 + length);
    assertThat(Arrays.equals(contentOf(KEY), concat(head, body, copied, tail))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {100, 6 * MIB})
  void copies_only_from_the_version_that_is_meant(int length) throws IOException {
    ETag old = store.put(OTHER, ByteBuffer.wrap(bytes(1, 7 * MIB)), Precondition.NONE).etag();
    store.put(OTHER, ByteBuffer.wrap(bytes(2, 7 * MIB)), Precondition.NONE);

    try (ObjectUpload upload = store.begin(KEY, 0, Precondition.NONE)) {
      assertThatThrownBy(
              () -> {
                upload.appendCopy(OTHER, 0, length, old);
                upload.commit(ByteBuffer.allocate(0));
              })
          .isInstanceOf(PreconditionFailedException.class);
    }
    assertThat(store.stat(KEY)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"0,7340033", "7340032,1", "7000000,340033", "1,7340032"})
  void refuses_to_copy_beyond_the_end(int at, int length) throws IOException {
    ETag etag = store.put(OTHER, ByteBuffer.wrap(bytes(1, 7 * MIB)), Precondition.NONE).etag();

    try (ObjectUpload upload = store.begin(KEY, 0, Precondition.NONE)) {
      assertThatThrownBy(
              () -> {
                upload.appendCopy(OTHER, at, length, etag);
                upload.commit(ByteBuffer.allocate(0));
              })
          .isInstanceOf(StoreException.class);
    }
    assertThat(store.stat(KEY)).isEmpty();
  }

  @Test
  void builds_objects_from_any_sequence_of_pieces() throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    Random random = new Random(seed);
    byte[] source = bytes(7, 24 * MIB);
    ETag etag = store.put(OTHER, ByteBuffer.wrap(source), Precondition.NONE).etag();
    for (int round = 0; round < Integer.getInteger("cowbell.rounds", 6); round++) {
      byte[] head = bytes(random.nextInt(), random.nextInt(300_000));
      List<byte[]> pieces = new ArrayList<>(List.of(head));
      try (ObjectUpload upload = store.begin(KEY, head.length, Precondition.NONE)) {
        for (int i = random.nextInt(12); i > 0; i--) {
          int length = random.nextInt(1 << (8 + random.nextInt(16)));
          int at = random.nextInt(source.length - length);
          pieces.add(Arrays.copyOfRange(source, at, at + length));
          if (random.nextBoolean()) {
            upload.append(ByteBuffer.wrap(source, at, length));
          } else {
            upload.appendCopy(OTHER, at, length, etag);
          }
        }
        upload.commit(ByteBuffer.wrap(head));
      }
      assertThat(Arrays.equals(contentOf(KEY), concat(pieces.toArray(byte[][]::new))))
          .as("-Dcowbell.seed=%d, round %d", seed, round)
          .isTrue();
    }
  }

  @Test
  void keeps_uploads_apart_that_go_on_at_the_same_time() throws Exception {
    List<byte[]> contents = IntStream.range(0, 6).mapToObj(i -> bytes(i, 9 * MIB + i)).toList();
    together(
        6,
        i -> {
          try (ObjectUpload upload =
              store.begin(new ObjectKey("at-once/" + i), 4, Precondition.IF_ABSENT)) {
            for (int at = 0; at < contents.get(i).length; at += MIB) {
              upload.append(
                  ByteBuffer.wrap(contents.get(i), at, Math.min(MIB, contents.get(i).length - at)));
            }
            return upload.commit(text("head"));
          }
        });
    for (int i = 0; i < 6; i++) {
      byte[] wanted = concat(array(text("head")), contents.get(i));
      assertThat(Arrays.equals(contentOf(new ObjectKey("at-once/" + i)), wanted)).isTrue();
    }
  }

  // ---- probe

  @Test
  void finds_out_what_it_can_do_and_cleans_up_after_itself() throws IOException {
    StoreProbe probe = store.probe();

    assertThat(probe.findings()).isNotEmpty();
    if (replacesAtomically()) {
      assertThat(probe.capabilities().conditionalPut()).as("%s", probe.findings()).isTrue();
    }
    assertThat(probe.capabilities().rangeCopy()).as("%s", probe.findings()).isTrue();
    assertThat(store.capabilities()).isEqualTo(probe.capabilities());
    assertThat(listed("")).isEmpty();
    assertThat(store.sweepUploads("", Duration.ZERO)).isZero();
  }

  // ---- helpers

  protected static byte[] bytes(long seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  protected static ByteBuffer text(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  protected static byte[] array(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }

  protected static byte[] concat(byte[]... parts) {
    ByteBuffer all = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(p -> p.length).sum());
    for (byte[] part : parts) {
      all.put(part);
    }
    return all.array();
  }

  protected final byte[] contentOf(ObjectKey key) throws IOException {
    return array(store.get(key, Integer.MAX_VALUE - 8).body());
  }

  protected final List<String> listed(String prefix) throws IOException {
    try (Stream<ObjectInfo> all = store.list(prefix)) {
      return all.map(o -> o.key().value()).toList();
    }
  }

  private List<String> listedAfter(String prefix, String after) throws IOException {
    try (Stream<ObjectInfo> all = store.list(prefix, Optional.of(new ObjectKey(after)))) {
      return all.map(o -> o.key().value()).toList();
    }
  }

  /** One of several tasks that start at the same moment. */
  protected interface Task<T> {
    T run(int number) throws Exception;
  }

  protected static <T> List<T> together(int tasks, Task<T> task) throws Exception {
    CyclicBarrier start = new CyclicBarrier(tasks);
    List<Future<T>> running = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < tasks; i++) {
        int number = i;
        Callable<T> started =
            () -> {
              start.await();
              return task.run(number);
            };
        running.add(threads.submit(started));
      }
    }
    List<T> results = new ArrayList<>();
    for (Future<T> one : running) {
      results.add(one.get());
    }
    return results;
  }
}
