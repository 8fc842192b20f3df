package dev.cowbell.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.storage.directory.DirectoryStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@SuppressWarnings("NullAway.Init")
final class RetryingStoreTest {

  private static final ObjectKey KEY = new ObjectKey("a/b");
  private static final RetryPolicy POLICY =
      new RetryPolicy(4, Duration.ofSeconds(1), Duration.ofSeconds(8), Duration.ofMinutes(1));

  @TempDir Path root;

  private final SteppedPacer pacer = new SteppedPacer();
  private FaultyStore faulty;
  private ObjectStore store;

  @BeforeEach
  void open() throws IOException {
    faulty = new FaultyStore(DirectoryStore.open(root, InstantSource.system()));
    store = new RetryingStore(faulty, new Retries(POLICY, pacer, new Random(1)));
  }

  @AfterEach
  void close() throws IOException {
    store.close();
  }

  @Test
  void tries_again_until_it_works() throws IOException {
    faulty.refuse(3);

    store.put(KEY, text("x"), Precondition.NONE);

    assertThat(text(store)).isEqualTo("x");
    assertThat(pacer.passed()).isPositive();
  }

  @Test
  void gives_up_when_the_policy_says_so() {
    faulty.refuse(4);

    assertThatThrownBy(() -> store.stat(KEY))
        .isInstanceOf(StoreUnavailableException.class)
        .hasMessageContaining("refused")
        .hasMessageContaining("4 attempts");
  }

  @Test
  void knows_its_own_conditional_write_when_the_answer_was_lost() throws IOException {
    faulty.loseAnswers(1);
    ObjectInfo created = store.put(KEY, text("mine"), Precondition.IF_ABSENT);
    faulty.loseAnswers(2);
    ObjectInfo replaced = store.put(KEY, text("newer"), Precondition.ifMatch(created.etag()));

    assertThat(store.stat(KEY)).contains(replaced);
    assertThat(text(store)).isEqualTo("newer");
  }

  @Test
  void does_not_take_anothers_write_for_its_own() throws IOException {
    store.put(KEY, text("theirs"), Precondition.NONE);
    faulty.refuse(1);

    assertThatThrownBy(() -> store.put(KEY, text("mine"), Precondition.IF_ABSENT))
        .isInstanceOf(PreconditionFailedException.class);
  }

  @Test
  void does_not_take_an_equal_object_for_its_own_when_nothing_was_lost() throws IOException {
    store.put(KEY, text("same"), Precondition.NONE);

    assertThatThrownBy(() -> store.put(KEY, text("same"), Precondition.IF_ABSENT))
        .isInstanceOf(PreconditionFailedException.class);
  }

  @Test
  void resumes_a_read_that_was_cut() throws IOException {
    byte[] bytes = new byte[1000];
    new Random(2).nextBytes(bytes);
    ETag etag = store.put(KEY, ByteBuffer.wrap(bytes), Precondition.NONE).etag();
    for (Optional<ETag> ifMatch : List.of(Optional.of(etag), Optional.<ETag>empty())) {
      faulty.loseAnswers(3);
      ByteBuffer read = ByteBuffer.allocate(900);

      store.read(KEY, 50, read, ifMatch);

      assertThat(read.flip()).isEqualTo(ByteBuffer.wrap(bytes, 50, 900).slice());
    }
  }

  @Test
  void resumes_a_listing_behind_the_last_object_seen() throws IOException {
    for (String key : List.of("a", "b/c", "b/d", "e")) {
      store.put(new ObjectKey(key), text("x"), Precondition.NONE);
    }
    faulty.refuse(3);
    try (Stream<ObjectInfo> all = store.list("")) {
      assertThat(
              all.peek(o -> faulty.refuse(o.key().value().equals("b/c") ? 2 : 0))
                  .map(o -> o.key().value()))
          .containsExactly("a", "b/c", "b/d", "e");
    }
  }

  @Test
  void repeats_a_delete_whose_answer_was_lost() throws IOException {
    store.put(KEY, text("x"), Precondition.NONE);
    faulty.loseAnswers(2);

    store.delete(List.of(KEY));

    assertThat(store.stat(KEY)).isEmpty();
  }

  @Test
  void spreads_its_pauses_evenly_below_a_doubling_bound() {
    Random random = new Random(3);
    for (int failures = 1; failures < 10; failures++) {
      long bound = Math.min(8_000, 1_000L << (failures - 1));
      double sum = 0;
      for (int i = 0; i < 2_000; i++) {
        long pause = POLICY.pauseAfter(failures, random).toMillis();
        assertThat(pause).isBetween(0L, bound);
        sum += pause;
      }
      assertThat(sum / 2_000).isBetween(0.45 * bound, 0.55 * bound);
    }
    assertThat(POLICY.pauseAfter(1_000_000, random)).isLessThanOrEqualTo(Duration.ofSeconds(8));
  }

  private static String text(ObjectStore store) throws IOException {
    return StandardCharsets.UTF_8.decode(store.get(KEY, 100).body()).toString();
  }

  private static ByteBuffer text(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }
}
