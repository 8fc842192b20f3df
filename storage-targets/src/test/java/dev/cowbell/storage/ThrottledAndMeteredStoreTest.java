package dev.cowbell.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.storage.StoreTraffic.Count;
import dev.cowbell.storage.StoreTraffic.Kind;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ThrottledAndMeteredStoreTest {

  private static final int MIB = 1 << 20;
  private static final ObjectKey KEY = new ObjectKey("a");

  @TempDir Path root;

  @Test
  void keeps_to_the_bandwidth_in_each_direction() throws IOException {
    SteppedPacer pacer = new SteppedPacer();
    ETag etag;
    try (ObjectStore store =
        new ThrottledStore(
            DirectoryStore.open(root, InstantSource.system()),
            OptionalLong.of(MIB),
            OptionalLong.of(4 * MIB),
            pacer)) {
      try (ObjectUpload upload = store.begin(KEY, MIB, Precondition.NONE)) {
        upload.append(ByteBuffer.allocate(8 * MIB));
        etag = upload.commit(ByteBuffer.allocate(MIB)).etag();
      }
      assertThat(pacer.passed()).isBetween(Duration.ofMillis(8_850), Duration.ofSeconds(9));

      store.read(KEY, 0, ByteBuffer.allocate(8 * MIB), Optional.of(etag));
      assertThat(pacer.passed()).isBetween(Duration.ofMillis(10_650), Duration.ofSeconds(11));
    }
  }

  @Test
  void saves_up_no_more_than_a_moment_of_silence() throws Exception {
    SteppedPacer pacer = new SteppedPacer();
    TokenBucket bucket = new TokenBucket(1_000, pacer);
    pacer.sleep(Duration.ofHours(1));

    bucket.take(1_100);

    assertThat(pacer.passed()).isEqualTo(Duration.ofHours(1).plusSeconds(1));
  }

  @Test
  void counts_calls_and_bytes_by_kind() throws IOException {
    try (MeteredStore store = new MeteredStore(DirectoryStore.open(root, InstantSource.system()))) {
      ETag etag = store.put(KEY, ByteBuffer.allocate(100), Precondition.NONE).etag();
      try (ObjectUpload upload = store.begin(new ObjectKey("b"), 10, Precondition.NONE)) {
        upload.append(ByteBuffer.allocate(20));
        upload.appendCopy(KEY, 0, 70, etag);
        upload.commit(ByteBuffer.allocate(10));
      }
      store.read(KEY, 0, ByteBuffer.allocate(40), Optional.empty());
      store.get(KEY, 100);
      store.stat(KEY);
      try (Stream<ObjectInfo> all = store.list("")) {
        assertThat(all).hasSize(2);
      }
      store.delete(List.of(KEY));

      StoreTraffic traffic = store.traffic();
      assertThat(traffic.of(Kind.PUT)).isEqualTo(new Count(1, 100));
      assertThat(traffic.of(Kind.UPLOAD)).isEqualTo(new Count(1, 30));
      assertThat(traffic.of(Kind.COPY)).isEqualTo(new Count(1, 70));
      assertThat(traffic.of(Kind.READ)).isEqualTo(new Count(2, 140));
      assertThat(traffic.of(Kind.STAT)).isEqualTo(new Count(1, 0));
      assertThat(traffic.of(Kind.LIST)).isEqualTo(new Count(1, 0));
      assertThat(traffic.of(Kind.DELETE)).isEqualTo(new Count(1, 0));
      assertThat(traffic.bytesUp()).isEqualTo(130);
      assertThat(traffic.bytesDown()).isEqualTo(140);
    }
  }
}
