package dev.cowbell.qcow2.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.TestImage;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.L2Rules;
import dev.cowbell.qcow2.format.Mapping;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class MapCursorTest {
  private static final int KIB = 1 << 10;
  private static final int CLUSTER = 4 * KIB;

  private static TestImage image(long size) {
    return new TestImage("test.qcow2", new HeaderBuilder().clusterBits(12).size(size));
  }

  private static TestImage extendedImage(long size) {
    return new TestImage(
        "test.qcow2",
        new HeaderBuilder()
            .clusterBits(14)
            .features(FeatureBits.NONE.with(Feature.EXTENDED_L2))
            .size(size));
  }

  private static ClusterMap map(TestImage image) throws IOException {
    return ClusterMap.ofActiveState(image.file(), image.header(), new L2Cache(1 << 20));
  }

  private static List<MappedRun> runs(ClusterMap map, long at, long length) throws IOException {
    List<MappedRun> runs = new ArrayList<>();
    MapCursor cursor = map.cursor(at, length);
    while (cursor.next()) {
      runs.add(cursor.run());
    }
    return runs;
  }

  @Test
  void neighbours_that_follow_each_other_are_one_run() throws Exception {
    TestImage image = image(64 * CLUSTER);
    long first = image.storeFilled(1);
    long second = image.storeFilled(2);
    image
        .entry(2L * CLUSTER, L2Entry.data(first, true))
        .entry(3L * CLUSTER, L2Entry.data(second, false))
        .entry(4L * CLUSTER, L2Entry.data(first, true))
        .entry(5L * CLUSTER, L2Entry.ZERO_PLAIN)
        .entry(6L * CLUSTER, L2Entry.ZERO_PLAIN)
        .entry(7L * CLUSTER, L2Entry.zeroAllocated(first, true))
        .entry(
            8L * CLUSTER,
            L2Entry.compressed(new CompressedDescriptor(first + 100, 200), image.geometry()));
    assertThat(runs(map(image), 0, 64 * CLUSTER))
        .containsExactly(
            new MappedRun(0, 2 * CLUSTER, Mapping.UNALLOCATED),
            new MappedRun(2 * CLUSTER, 2 * CLUSTER, new Mapping.Data(first)),
            new MappedRun(4 * CLUSTER, CLUSTER, new Mapping.Data(first)),
            new MappedRun(5 * CLUSTER, 2 * CLUSTER, Mapping.ZERO),
            new MappedRun(7 * CLUSTER, CLUSTER, new Mapping.Zero(OptionalLong.of(first))),
            new MappedRun(8 * CLUSTER, CLUSTER, new Mapping.Compressed(first + 100, 412)),
            new MappedRun(9 * CLUSTER, 55 * CLUSTER, Mapping.UNALLOCATED));
  }

  @Test
  void a_range_may_start_and_end_inside_clusters() throws Exception {
    TestImage image = image(64 * CLUSTER);
    long at = image.storeFilled(1);
    image.entry(CLUSTER, L2Entry.data(at, true));
    assertThat(runs(map(image), CLUSTER + 10, 20))
        .containsExactly(new MappedRun(CLUSTER + 10, 20, new Mapping.Data(at + 10)));
    assertThat(runs(map(image), CLUSTER - 1, 2))
        .containsExactly(
            new MappedRun(CLUSTER - 1, 1, Mapping.UNALLOCATED),
            new MappedRun(CLUSTER, 1, new Mapping.Data(at)));
    assertThat(runs(map(image), 0, 0)).isEmpty();
  }

  @Test
  void runs_go_on_over_the_borders_of_l2_tables() throws Exception {
    long coverage = 2L << 20;
    TestImage image = image(4 * coverage);
    long first = image.storeFilled(1);
    long second = image.storeFilled(1);
    image
        .entry(coverage - CLUSTER, L2Entry.data(first, true))
        .entry(coverage, L2Entry.data(second, true));
    assertThat(runs(map(image), 0, 4 * coverage))
        .containsExactly(
            new MappedRun(0, coverage - CLUSTER, Mapping.UNALLOCATED),
            new MappedRun(coverage - CLUSTER, 2 * CLUSTER, new Mapping.Data(first)),
            new MappedRun(coverage + CLUSTER, 3 * coverage - CLUSTER, Mapping.UNALLOCATED));
  }

  @Test
  void subclusters_have_runs_of_their_own() throws Exception {
    TestImage image = extendedImage(1 << 20);
    long at = image.allocate();
    image
        .entry(0, L2Entry.extended(at, true, 0b0111, 0b11000))
        .entry(16 * KIB, L2Entry.EXTENDED_ZERO_PLAIN);
    long sub = 512;
    assertThat(runs(map(image), sub, 32L * KIB))
        .containsExactly(
            new MappedRun(sub, 2 * sub, new Mapping.Data(at + sub)),
            new MappedRun(3 * sub, 2 * sub, new Mapping.Zero(OptionalLong.of(at + 3 * sub))),
            new MappedRun(
                5 * sub, 27 * sub, new Mapping.Unallocated(OptionalLong.of(at + 5 * sub))),
            new MappedRun(32 * sub, 32 * sub, Mapping.ZERO),
            new MappedRun(64 * sub, sub, Mapping.UNALLOCATED));
  }

  @Test
  void every_run_says_what_the_single_entries_say_in_random_tables() throws Exception {
    for (long seed = 1; seed <= 60; seed++) {
      boolean extended = seed % 2 == 0;
      long size = 3L << 20;
      TestImage image = extended ? extendedImage(size) : image(size);
      L2Entry[] entries = randomEntries(image, size, new Random(seed));
      L2Rules rules = new L2Rules(image.geometry(), 3, false);
      int step = image.geometry().subclusterSize();
      List<MappedRun> runs = runs(map(image), 0, size);
      long expectedStart = 0;
      for (MappedRun run : runs) {
        assertThat(run.offset()).as("seed %d", seed).isEqualTo(expectedStart);
        expectedStart += run.length();
        for (long at = run.offset(); at < run.offset() + run.length(); at += step) {
          int cluster = (int) (at / image.geometry().clusterSize());
          int sub = (int) (at % image.geometry().clusterSize()) / step;
          Mapping single = entries[cluster].mapping(rules, 0, sub);
          assertThat(shifted(run.mapping(), at - run.offset()))
              .as("seed %d at %d", seed, at)
              .isEqualTo(single);
        }
      }
      assertThat(expectedStart).isEqualTo(size);
      for (int i = 1; i < runs.size(); i++) {
        Mapping before = runs.get(i - 1).mapping();
        assertThat(shifted(before, runs.get(i - 1).length()).equals(runs.get(i).mapping()))
            .as("seed %d: run %d could be longer", seed, i - 1)
            .isEqualTo(
                before instanceof Mapping.Compressed && before.equals(runs.get(i).mapping()));
      }
    }
  }

  private static L2Entry[] randomEntries(TestImage image, long size, Random random) {
    Geometry geometry = image.geometry();
    L2Entry[] entries = new L2Entry[(int) geometry.clustersFor(size)];
    Arrays.fill(entries, L2Entry.UNALLOCATED);
    long host = 1L << 30;
    for (int i = 0; i < entries.length; i++) {
      host += random.nextInt(4) == 0 ? 2L * geometry.clusterSize() : geometry.clusterSize();
      boolean copied = random.nextBoolean();
      int zero = random.nextInt() & ((1 << random.nextInt(32)) - 1);
      L2Entry entry =
          switch (random.nextInt(6)) {
            case 0 -> geometry.extendedL2() ? L2Entry.EXTENDED_ZERO_PLAIN : L2Entry.ZERO_PLAIN;
            case 1 ->
                geometry.extendedL2()
                    ? L2Entry.extended(host, copied, random.nextInt() & ~zero, zero)
                    : L2Entry.zeroAllocated(host, copied);
            case 2 -> L2Entry.compressed(new CompressedDescriptor(host, 1024), geometry);
            case 3 -> L2Entry.UNALLOCATED;
            default ->
                geometry.extendedL2()
                    ? L2Entry.extended(host, copied, -1, 0)
                    : L2Entry.data(host, copied);
          };
      if (i < 200 || i > 400) {
        entries[i] = entry;
        image.entry((long) i * geometry.clusterSize(), entry);
      }
    }
    return entries;
  }

  private static Mapping shifted(Mapping mapping, long by) {
    return switch (mapping) {
      case Mapping.Data(long host) -> new Mapping.Data(host + by);
      case Mapping.Zero(OptionalLong host) -> new Mapping.Zero(shifted(host, by));
      case Mapping.Unallocated(OptionalLong host) -> new Mapping.Unallocated(shifted(host, by));
      case Mapping.Compressed compressed -> compressed;
    };
  }

  private static OptionalLong shifted(OptionalLong host, long by) {
    return host.isPresent() ? OptionalLong.of(host.getAsLong() + by) : host;
  }

  @Test
  void a_broken_entry_fails_only_the_run_that_begins_with_it() throws Exception {
    TestImage image = image(64 * CLUSTER);
    image
        .entry(0, L2Entry.ZERO_PLAIN)
        .entry(CLUSTER, L2Entry.data(512, true))
        .entry(2L * CLUSTER, L2Entry.ZERO_PLAIN);
    MapCursor cursor = map(image).cursor(0, 3 * CLUSTER);
    assertThat(cursor.next()).isTrue();
    assertThat(cursor.length()).isEqualTo(CLUSTER);
    assertThatThrownBy(cursor::next)
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("guest offset 4096");
    assertThat(runs(map(image), 2 * CLUSTER, CLUSTER)).hasSize(1);
  }

  @Test
  void an_l2_table_out_of_line_is_an_error_where_it_is_needed() throws Exception {
    TestImage image = image(64 * CLUSTER);
    image.write(image.header().l1TableOffset(), 512);
    assertThatThrownBy(() -> runs(map(image), 0, 1))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("L1 entry 0: the L2 table's offset 512 is not aligned");
  }

  @Test
  void tables_behind_the_end_of_the_file_are_empty() throws Exception {
    TestImage image = image(64 * CLUSTER);
    image.write(image.header().l1TableOffset(), 1L << 40);
    assertThat(runs(map(image), 0, 64 * CLUSTER))
        .containsExactly(new MappedRun(0, 64 * CLUSTER, Mapping.UNALLOCATED));
    image.file().resize(512);
    assertThat(runs(map(image), 0, 64 * CLUSTER))
        .containsExactly(new MappedRun(0, 64 * CLUSTER, Mapping.UNALLOCATED));
  }

  @Test
  void the_cache_stays_within_its_bound() throws Exception {
    TestImage image = image(64L << 20);
    for (long at = 0; at < 64L << 20; at += 2L << 20) {
      image.entry(at, L2Entry.ZERO_PLAIN);
    }
    L2Cache cache = new L2Cache(5 * CLUSTER);
    ClusterMap map = ClusterMap.ofActiveState(image.file(), image.header(), cache);
    for (int round = 0; round < 2; round++) {
      assertThat(runs(map, 0, 64L << 20)).hasSize(64);
      assertThat(cache.bytes()).isLessThanOrEqualTo(5 * CLUSTER);
    }
    cache.forget(image.file());
    assertThat(cache.bytes()).isZero();
  }

  @Test
  void tables_that_follow_each_other_are_read_together() throws Exception {
    TestImage image = image(64L << 20);
    for (long at = 0; at < 64L << 20; at += 2L << 20) {
      image.entry(at, L2Entry.ZERO_PLAIN);
    }
    CountingFile counting = new CountingFile(image.file());
    ClusterMap map = ClusterMap.ofActiveState(counting, image.header(), new L2Cache(1 << 20));
    counting.reads = 0;
    assertThat(runs(map, 0, 64L << 20)).hasSize(64);
    assertThat(counting.reads).isEqualTo(1);
  }

  @Test
  void a_sparse_disk_of_10_tib_takes_no_time() throws Exception {
    TestImage sparse =
        new TestImage("sparse.qcow2", new HeaderBuilder().clusterBits(16).size(10L << 40));
    sparse.entry(7L << 40, L2Entry.ZERO_PLAIN);
    Assertions.assertTimeout(
        Duration.ofSeconds(2),
        () ->
            assertThat(runs(map(sparse), 0, 10L << 40))
                .containsExactly(
                    new MappedRun(0, 7L << 40, Mapping.UNALLOCATED),
                    new MappedRun(7L << 40, 1 << 16, Mapping.ZERO),
                    new MappedRun(
                        (7L << 40) + (1 << 16), (3L << 40) - (1 << 16), Mapping.UNALLOCATED)));
  }

  @Test
  void allocated_is_what_the_layer_says_itself() throws Exception {
    TestImage image = image(64 * CLUSTER);
    image.entry(CLUSTER, L2Entry.ZERO_PLAIN).entry(9L * CLUSTER, L2Entry.data(1 << 20, true));
    assertThat(ChangedExtents.allocated(map(image), 64 * CLUSTER))
        .isEqualTo(ExtentSet.of(CLUSTER, CLUSTER).union(ExtentSet.of(9 * CLUSTER, CLUSTER)));
  }

  @Test
  void equal_entries_with_other_copied_flags_are_no_change_and_sizes_are() throws Exception {
    TestImage before = image(8 * CLUSTER);
    TestImage after = image(8 * CLUSTER);
    before.entry(0, L2Entry.data(1 << 20, true)).entry(CLUSTER, L2Entry.data(2 << 20, true));
    after.allocate();
    after.entry(0, L2Entry.data(1 << 20, false)).entry(CLUSTER, L2Entry.data(3 << 20, true));
    after.entry(2L * CLUSTER, L2Entry.ZERO_PLAIN);
    ExtentSet backed =
        ChangedExtents.between(map(before), 8 * CLUSTER, map(after), 7 * CLUSTER, true);
    assertThat(backed)
        .isEqualTo(ExtentSet.of(CLUSTER, 2 * CLUSTER).union(ExtentSet.of(7 * CLUSTER, CLUSTER)));
    assertThat(ChangedExtents.between(map(before), 8 * CLUSTER, map(after), 8 * CLUSTER, false))
        .isEqualTo(ExtentSet.of(CLUSTER, CLUSTER));
  }

  @Test
  void rejects_comparing_states_of_different_images() throws Exception {
    assertThatThrownBy(() ->
            ChangedExtents.between(
                map(image(CLUSTER)), CLUSTER, map(extendedImage(CLUSTER)), CLUSTER, false))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(new Geometry(12, false, RefcountWidth.DEFAULT)).isEqualTo(image(1).geometry());
  }

  /** Counts reads. */
  private static final class CountingFile implements HostFile {
    private final HostFile file;
    private int reads;

    private CountingFile(HostFile file) {
      this.file = file;
    }

    @Override
    public String name() {
      return file.name();
    }

    @Override
    public long size() throws IOException {
      return file.size();
    }

    @Override
    public int read(long at, ByteBuffer dst) throws IOException {
      reads++;
      return file.read(at, dst);
    }

    @Override
    public void write(long at, ByteBuffer src) throws IOException {
      file.write(at, src);
    }

    @Override
    public void resize(long size) throws IOException {
      file.resize(size);
    }

    @Override
    public void punchHole(long at, long length) throws IOException {
      file.punchHole(at, length);
    }

    @Override
    public void flush() throws IOException {
      file.flush();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
