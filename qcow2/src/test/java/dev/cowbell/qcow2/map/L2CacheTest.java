package dev.cowbell.qcow2.map;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class L2CacheTest {
  private static final int TABLE = 512;
  private static final Geometry GEOMETRY = new Geometry(9, false, RefcountWidth.DEFAULT);

  private final HostFile file = new MemoryHostFile("a");
  private final HostFile other = new MemoryHostFile("b");

  /** A table whose first word says whose it is. */
  private static L2Table table(long mark) {
    return L2Table.take(ByteBuffer.allocate(TABLE).putLong(0, mark), GEOMETRY);
  }

  private static long mark(HostFile of, long offset) {
    return offset * 31 + of.name().charAt(0);
  }

  @Test
  void holds_no_more_bytes_than_allowed_but_always_one_table() {
    L2Cache cache = new L2Cache(10 * TABLE);
    for (int i = 0; i < 1000; i++) {
      cache.put(file, (long) i * TABLE, table(i));
      assertThat(cache.bytes()).isLessThanOrEqualTo(10 * TABLE);
    }
    assertThat(cache.bytes()).isEqualTo(10 * TABLE);
    L2Cache tiny = new L2Cache(1);
    tiny.put(file, 0, table(7));
    assertThat(tiny.get(file, 0)).isNotNull();
    tiny.put(file, TABLE, table(8));
    assertThat(tiny.get(file, 0)).isNull();
    assertThat(tiny.get(file, TABLE)).isNotNull();
  }

  @Test
  void a_table_that_is_looked_up_outlives_those_that_are_not() {
    L2Cache cache = new L2Cache(10 * TABLE);
    cache.put(file, 0, table(1));
    for (int i = 1; i < 500; i++) {
      assertThat(cache.get(file, 0)).as("after %d", i).isNotNull();
      cache.put(file, (long) i * TABLE, table(i));
    }
  }

  @Test
  void a_table_put_again_replaces_the_one_before() {
    L2Cache cache = new L2Cache(10 * TABLE);
    cache.put(file, 0, table(1));
    cache.put(file, 0, table(2));
    assertThat(cache.get(file, 0)).isNotNull().extracting(t -> t.word(0)).isEqualTo(2L);
    assertThat(cache.bytes()).isEqualTo(TABLE);
  }

  @Test
  void forgets_the_tables_of_one_file_only() {
    L2Cache cache = new L2Cache(1 << 20);
    for (int i = 0; i < 300; i++) {
      cache.put(i % 2 == 0 ? file : other, (long) i * TABLE, table(i));
    }
    cache.forget(file);
    for (int i = 0; i < 300; i++) {
      assertThat(cache.get(file, (long) i * TABLE)).isNull();
      assertThat(cache.get(other, (long) i * TABLE) != null).isEqualTo(i % 2 == 1);
    }
    assertThat(cache.bytes()).isEqualTo(150 * TABLE);
  }

  @Test
  void counts_hits_and_misses() {
    L2Cache cache = new L2Cache(1 << 20);
    assertThat(cache.statistics().hitRate()).isZero();
    cache.get(file, 0);
    cache.put(file, 0, table(1));
    cache.get(file, 0);
    cache.get(file, 0);
    cache.get(other, 0);
    assertThat(cache.statistics()).isEqualTo(new L2Cache.Statistics(2, 2));
    assertThat(cache.statistics().hitRate()).isEqualTo(0.5);
  }

  @Test
  void never_gives_a_table_of_another_place_to_many_threads() throws Exception {
    L2Cache cache = new L2Cache(200 * TABLE);
    AtomicInteger wrong = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 4; t++) {
      SplittableRandom random = new SplittableRandom(t);
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                for (int i = 0; i < 30_000; i++) {
                  HostFile of = random.nextBoolean() ? file : other;
                  long offset = random.nextInt(300) * (long) TABLE;
                  L2Table found = cache.get(of, offset);
                  if (found == null) {
                    cache.put(of, offset, table(mark(of, offset)));
                  } else if (found.word(0) != mark(of, offset)) {
                    wrong.incrementAndGet();
                  }
                  if (random.nextInt(5000) == 0) {
                    cache.forget(of);
                  }
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(wrong).hasValue(0);
    assertThat(cache.bytes()).isBetween(1L, 200L * TABLE);
  }
}
