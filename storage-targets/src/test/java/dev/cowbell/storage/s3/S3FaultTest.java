package dev.cowbell.storage.s3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.FaultProxy;
import dev.cowbell.storage.FaultProxy.Fault;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.RetryPolicy;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreUnavailableException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each kind of fault at each request of each operation: done right, or failed cleanly. */
final class S3FaultTest {

  private static final AtomicInteger PREFIXES = new AtomicInteger();
  private static final ObjectKey KEY = new ObjectKey("vms/web/new");
  private static final ObjectKey SOURCE = new ObjectKey("vms/web/source");
  private static final byte[] OLD = bytes(1, 100);
  private static final byte[] SMALL = bytes(2, 5000);
  private static final byte[] BIG = bytes(3, 9 << 20);
  private static final byte[] SOURCE_BODY = bytes(4, 6 << 20);

  private static final List<Fault> QUICK =
      List.of(new Fault.CutRequest(300), Fault.LOSE_ANSWER, Fault.SLOW_DOWN, Fault.GARBAGE);

  private static final List<Fault> STALLS =
      List.of(
          new Fault.StallRequest(50_000), new Fault.StallAnswer(0), new Fault.StallAnswer(3000));

  @SuppressWarnings("NullAway.Init")
  private static S3ProxyServer server;

  @BeforeAll
  static void startServer() throws Exception {
    server = new S3ProxyServer();
  }

  @AfterAll
  static void stopServer() throws IOException {
    server.close();
  }

  /** An operation on a store, and what it leaves when it is done. */
  record Operation(String name, Work work, Check check) {

    interface Work {
      void on(ObjectStore store) throws IOException;
    }

    /** What holds afterwards; {@code done} tells whether the work said that it is done. */
    interface Check {
      void on(ObjectStore store, boolean done) throws IOException;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static List<Operation> operations() {
    return List.of(
        new Operation(
            "put",
            store -> store.put(KEY, ByteBuffer.wrap(SMALL), Precondition.NONE),
            (store, done) -> isOldOr(store, SMALL, done)),
        new Operation(
            "put if it matches",
            store ->
                store.put(
                    KEY,
                    ByteBuffer.wrap(SMALL),
                    Precondition.ifMatch(store.get(KEY, 1000).info().etag())),
            (store, done) -> isOldOr(store, SMALL, done)),
        new Operation(
            "put if absent",
            store ->
                store.put(new ObjectKey("absent"), ByteBuffer.wrap(SMALL), Precondition.IF_ABSENT),
            (store, done) -> {
              if (done || store.stat(new ObjectKey("absent")).isPresent()) {
                assertThat(content(store, new ObjectKey("absent"))).isEqualTo(SMALL);
              }
            }),
        new Operation(
            "upload",
            store -> {
              try (ObjectUpload upload = store.begin(KEY, 4096, Precondition.NONE)) {
                upload.append(ByteBuffer.wrap(BIG, 4096, BIG.length - 4096));
                ObjectInfo info = upload.commit(ByteBuffer.wrap(BIG, 0, 4096));
                assertThat(info.size()).isEqualTo(BIG.length);
              }
            },
            (store, done) -> isOldOr(store, BIG, done)),
        new Operation(
            "upload with a copy",
            store -> {
              ETag etag = store.stat(SOURCE).orElseThrow().etag();
              try (ObjectUpload upload = store.begin(KEY, 0, Precondition.NONE)) {
                upload.append(ByteBuffer.wrap(BIG, 0, 5 << 20));
                upload.appendCopy(SOURCE, 0, SOURCE_BODY.length, etag);
                upload.commit(ByteBuffer.allocate(0));
              }
            },
            (store, done) -> isOldOr(store, bigAndSource(), done)),
        new Operation(
            "read",
            store -> {
              ByteBuffer whole = ByteBuffer.allocateDirect(SOURCE_BODY.length);
              store.read(SOURCE, 0, whole, Optional.of(store.stat(SOURCE).orElseThrow().etag()));
              assertThat(whole.flip().equals(ByteBuffer.wrap(SOURCE_BODY))).isTrue();
            },
            (_, _) -> {}),
        new Operation("get", store -> assertThat(content(store, KEY)).isEqualTo(OLD), (_, _) -> {}),
        new Operation(
            "list",
            store -> {
              try (Stream<ObjectInfo> all = store.list("")) {
                assertThat(all.map(ObjectInfo::key)).containsExactly(KEY, SOURCE);
              } catch (UncheckedIOException e) {
                throw e.getCause();
              }
            },
            (_, _) -> {}),
        new Operation(
            "delete",
            store -> store.delete(List.of(KEY)),
            (store, done) -> {
              if (done) {
                assertThat(store.stat(KEY)).isEmpty();
              }
            }));
  }

  /** The operations without those whose requests others make too. */
  static List<Operation> differentOperations() {
    return operations().stream()
        .filter(o -> !o.name().equals("upload") && !o.name().equals("put"))
        .toList();
  }

  private static void isOldOr(ObjectStore store, byte[] changed, boolean done) throws IOException {
    byte[] present = content(store, KEY);
    assertThat(Arrays.equals(present, changed) || (!done && Arrays.equals(present, OLD))).isTrue();
  }

  @ParameterizedTest
  @MethodSource("operations")
  void gets_over_a_fault_at_any_request(Operation operation) throws Exception {
    for (Fault fault : QUICK) {
      forEachRequest(operation, fault, 1, failure -> assertThat(failure).isNull());
    }
  }

  @ParameterizedTest
  @MethodSource("differentOperations")
  void fails_cleanly_when_a_fault_stays(Operation operation) throws Exception {
    for (Fault fault : List.of(Fault.LOSE_ANSWER, Fault.SLOW_DOWN, Fault.GARBAGE)) {
      forEachRequest(
          operation,
          fault,
          Integer.MAX_VALUE,
          failure -> {
            if (failure != null) {
              assertThat(failure).hasMessageNotContainingAny("\n", "Exception");
            }
          });
    }
  }

  @ParameterizedTest
  @MethodSource("differentOperations")
  void ends_a_stall_at_any_request(Operation operation) throws Exception {
    for (Fault fault : STALLS) {
      forEachRequest(operation, fault, 1, failure -> assertThat(failure).isNull());
    }
  }

  private interface Outcome {
    void check(@Nullable StoreException failure);
  }

  private void forEachRequest(Operation operation, Fault fault, int times, Outcome outcome)
      throws Exception {
    try (FaultProxy proxy = new FaultProxy(server.address());
        ObjectStore store =
            storeBehind(proxy, Duration.ofSeconds(STALLS.contains(fault) ? 1 : 20))) {
      for (int request = 0; ; request++) {
        store.put(KEY, ByteBuffer.wrap(OLD), Precondition.NONE);
        store.delete(List.of(new ObjectKey("absent")));
        proxy.breakRequests(request, times, fault);
        StoreException failure = null;
        try {
          operation.work().on(store);
        } catch (StoreException e) {
          failure = e;
        }
        boolean reached = proxy.requests() > request;
        proxy.heal();
        if (!reached) {
          assertThat(failure).isNull();
          store.delete(List.of(KEY, SOURCE, new ObjectKey("absent")));
          break;
        }
        try {
          outcome.check(failure);
          operation.check().on(store, failure == null);
          store.sweepUploads("", Duration.ZERO);
          assertThat(store.sweepUploads("", Duration.ZERO)).isZero();
        } catch (AssertionError e) {
          throw new AssertionError(
              "%s at request %d of %s".formatted(fault, request, operation), e);
        }
      }
    }
  }

  @Test
  void gets_over_a_cut_in_the_middle_of_a_body() throws Exception {
    for (Operation operation : operations()) {
      if (operation.name().equals("read")) {
        forEachRequest(
            operation, new Fault.CutAnswer(3_000_000), 1, failure -> assertThat(failure).isNull());
      }
      if (operation.name().equals("upload")) {
        forEachRequest(
            operation, new Fault.CutRequest(100_000), 1, failure -> assertThat(failure).isNull());
      }
    }
  }

  @Test
  void gives_up_a_server_that_refuses_every_connection() throws Exception {
    try (FaultProxy proxy = new FaultProxy(server.address());
        ObjectStore store = storeBehind(proxy, Duration.ofSeconds(10))) {
      proxy.breakRequests(0, Integer.MAX_VALUE, new Fault.Refuse());
      assertThatThrownBy(() -> store.stat(KEY))
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining("4 attempts")
          .hasMessageNotContaining("\n");
    }
  }

  private static ObjectStore storeBehind(FaultProxy proxy, Duration stallTimeout)
      throws IOException {
    int prefix = PREFIXES.incrementAndGet();
    ObjectStore store =
        S3Store.create(
            S3Location.parse("s3://faults/%d?endpoint=%s".formatted(prefix, proxy.endpoint())),
            new S3Settings(
                new RetryPolicy(
                    4, Duration.ofMillis(1), Duration.ofMillis(5), Duration.ofMinutes(1)),
                Duration.ofSeconds(5),
                stallTimeout,
                16,
                32 << 20),
            server.credentials(),
            InstantSource.system());
    store.put(SOURCE, ByteBuffer.wrap(SOURCE_BODY), Precondition.NONE);
    return store;
  }

  private static byte[] bigAndSource() {
    return ByteBuffer.allocate((5 << 20) + SOURCE_BODY.length)
        .put(BIG, 0, 5 << 20)
        .put(SOURCE_BODY)
        .array();
  }

  private static byte[] content(ObjectStore store, ObjectKey key) throws IOException {
    ByteBuffer body = store.get(key, 64 << 20).body();
    byte[] bytes = new byte[body.remaining()];
    body.get(bytes);
    return bytes;
  }

  private static byte[] bytes(long seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }
}
