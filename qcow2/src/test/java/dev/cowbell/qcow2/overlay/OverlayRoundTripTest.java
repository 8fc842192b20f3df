package dev.cowbell.qcow2.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.Extent.Status;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class OverlayRoundTripTest {
  private static CodecPool pool = new CodecPool(1);

  @BeforeAll
  static void startPool() {
    pool = new CodecPool(2);
  }

  @AfterAll
  static void stopPool() {
    pool.close();
  }

  private static StoredOverlay full(SparseDisk disk, int clusterSize) throws IOException {
    return StoredOverlay.write(
        "full.qcow2", pool, disk, clusterSize, Optional.empty(), OverlayExtents.full(disk));
  }

  private static StoredOverlay increment(SparseDisk disk, int clusterSize, ExtentSet changed)
      throws IOException {
    return StoredOverlay.write(
        "increment.qcow2",
        pool,
        disk,
        clusterSize,
        Optional.of("full.qcow2"),
        OverlayExtents.changed(disk, changed));
  }

  private static byte[] contentOf(StoredOverlay... newestFirst) throws IOException {
    List<OverlayReader> readers = new ArrayList<>();
    for (StoredOverlay overlay : newestFirst) {
      readers.add(overlay.open());
    }
    try (OverlayChainDisk disk = new OverlayChainDisk(new OverlayChain(readers))) {
      ByteBuffer all = ByteBuffer.allocate((int) disk.size());
      disk.read(0, all);
      return all.array();
    }
  }

  private static byte[] random(Random random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 511, 512, 513, 4095, 4096, 4097, 65536, 100_000})
  void a_disk_of_any_size_reads_back(int size) throws IOException {
    SparseDisk disk = new SparseDisk(size).write(0, random(new Random(size), size));
    StoredOverlay overlay = full(disk, 4096);
    byte[] read = contentOf(overlay);
    assertThat(read).hasSize((size + 511) / 512 * 512);
    assertThat(Arrays.copyOf(read, size)).isEqualTo(disk.content());
    assertThat(new OverlayVerifier(pool).data(overlay, overlay.expectation(), OverlayMonitor.NONE))
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {12, 13, 14, 15, 16, 17, 18, 19, 20, 21})
  void every_cluster_size_keeps_incompressible_and_even_content(int clusterBits)
      throws IOException {
    Random random = new Random(clusterBits);
    SparseDisk disk = new SparseDisk(9 << 20).write(3 << 20, random(random, 1 << 20));
    byte[] even = new byte[2 << 20];
    Arrays.fill(even, (byte) 7);
    disk.write(6 << 20, even);
    StoredOverlay overlay = full(disk, 1 << clusterBits);
    assertThat(contentOf(overlay)).isEqualTo(disk.content());
    assertThat(overlay.summary().size()).isEqualTo(overlay.size());
    assertThat(new OverlayVerifier(pool).data(overlay, overlay.expectation(), OverlayMonitor.NONE))
        .isEmpty();
  }

  @Test
  void a_full_leaves_zeroes_out_whether_known_or_only_read() throws IOException {
    SparseDisk disk =
        new SparseDisk(1 << 20).write(0, new byte[65536]).write(131072, new byte[] {1});
    OverlaySummary summary = full(disk, 4096).summary();
    assertThat(summary.dataClusters()).isEqualTo(1);
    assertThat(summary.zeroClusters()).isZero();
  }

  @Test
  void an_increment_hides_the_parents_data_where_zeroes_are_now() throws IOException {
    SparseDisk before = new SparseDisk(4 << 20).write(0, random(new Random(1), 4 << 20));
    SparseDisk now = before.resized(4 << 20).discard(65536, 1 << 20).write(0, new byte[4096]);
    ExtentSet changed = ExtentSet.builder().add(0, 4096).add(65536, 1 << 20).build();
    StoredOverlay increment = increment(now, 4096, changed);
    assertThat(increment.summary().dataClusters()).isZero();
    assertThat(increment.summary().zeroClusters()).isEqualTo(1 + 256);
    assertThat(increment.summary().changedBytes()).isEqualTo(4096 + (1 << 20));
    // What the source knows to be zero is not read.
    assertThat(increment.summary().bytesRead()).isEqualTo(4096);
    assertThat(contentOf(increment, full(before, 65536))).isEqualTo(now.content());
  }

  @Test
  void a_cluster_that_changed_in_part_is_stored_as_a_whole() throws IOException {
    SparseDisk disk = new SparseDisk(1 << 20).write(0, random(new Random(2), 1 << 20));
    List<Extent> extents =
        List.of(
            new Extent(70_000, 10, Status.DATA),
            new Extent(131_072 + 512, 100, Status.ZERO),
            new Extent(262_144, 65_536, Status.UNALLOCATED));
    StoredOverlay overlay =
        StoredOverlay.write(
            "part.qcow2",
            pool,
            disk,
            65536,
            Optional.of("p.qcow2"),
            ExtentCursor.of(extents.iterator()));
    assertThat(overlay.summary().dataClusters()).isEqualTo(2);
    assertThat(overlay.summary().zeroClusters()).isZero();
    byte[] read = contentOf(overlay);
    assertThat(Arrays.copyOfRange(read, 65536, 196608))
        .isEqualTo(Arrays.copyOfRange(disk.content(), 65536, 196608));
  }

  @Test
  void zero_extents_that_continue_each_other_make_zero_clusters() throws IOException {
    SparseDisk disk = new SparseDisk(200_000);
    List<Extent> extents =
        List.of(
            new Extent(10, 65_000, Status.ZERO),
            new Extent(65_010, 66_000, Status.ZERO),
            new Extent(131_072, 200_000 - 131_072, Status.ZERO));
    StoredOverlay overlay =
        StoredOverlay.write(
            "zero.qcow2",
            pool,
            disk,
            65536,
            Optional.of("p.qcow2"),
            ExtentCursor.of(extents.iterator()));
    // The first cluster is zero in part only, so it was read; zeroes were found there too.
    assertThat(overlay.summary().bytesRead()).isEqualTo(65536 + 65536);
    assertThat(overlay.summary().zeroClusters()).isEqualTo(4);
  }

  @Test
  void the_head_names_the_parent_and_whose_content_it_is() throws IOException {
    SparseDisk disk = new SparseDisk(1 << 20).write(0, new byte[] {1});
    OverlayReader reader = increment(disk, 65536, ExtentSet.of(0, 512)).open();
    assertThat(reader.backingFile()).contains("full.qcow2");
    assertThat(reader.identity()).isEqualTo(StoredOverlay.IDENTITY);
    assertThat(reader.size()).isEqualTo(1 << 20);
    assertThat(full(disk, 65536).open().backingFile()).isEmpty();
  }

  @Test
  void the_same_disk_makes_the_same_object() throws IOException {
    SparseDisk disk = new SparseDisk(8 << 20).write(5, random(new Random(3), 7 << 20));
    assertThat(full(disk, 4096).object()).isEqualTo(full(disk, 4096).object());
  }

  @Test
  void scattered_clusters_fill_several_metadata_groups() throws IOException {
    long step = 512L << 20;
    SparseDisk disk = new SparseDisk(300 * step);
    ExtentSet.Builder changed = ExtentSet.builder();
    for (int i = 0; i < 300; i++) {
      disk.write(i * step + 65536, new byte[] {(byte) (i + 1)});
      changed.add(i * step + 65536, 65536);
    }
    StoredOverlay overlay = increment(disk, 65536, changed.build());
    assertThat(overlay.size()).isBetween(300L * 65536, 310L * 65536);
    try (OverlayChainDisk chain = new OverlayChainDisk(new OverlayChain(List.of(overlay.open())))) {
      for (int i = 0; i < 300; i++) {
        ByteBuffer one = ByteBuffer.allocate(1);
        chain.read(i * step + 65536, one);
        assertThat(one.get(0)).isEqualTo((byte) (i + 1));
      }
    }
    assertThat(new OverlayVerifier(pool).metadata(overlay, overlay.expectation())).isEmpty();
  }

  @Test
  void random_chains_of_mixed_cluster_and_disk_sizes_read_back() throws IOException {
    for (int round = 0; round < 25; round++) {
      long seed = new Random().nextLong();
      Random random = new Random(seed);
      SparseDisk disk = new SparseDisk(512L * (1 + random.nextInt(8000)));
      scribble(disk, random, ExtentSet.builder());
      List<StoredOverlay> chain = new ArrayList<>();
      chain.add(full(disk, 4096 << random.nextInt(6)));
      for (int i = random.nextInt(6); i > 0; i--) {
        long before = disk.size();
        ExtentSet.Builder changed = ExtentSet.builder();
        if (random.nextInt(3) == 0) {
          disk = disk.resized(512L * (1 + random.nextInt(8000)));
          changed.add(Math.min(before, disk.size()), Math.abs(before - disk.size()));
        }
        scribble(disk, random, changed);
        chain.addFirst(increment(disk, 4096 << random.nextInt(6), changed.build()));
        assertThat(contentOf(chain.toArray(StoredOverlay[]::new)))
            .as("seed %d", seed)
            .isEqualTo(disk.content());
      }
      for (StoredOverlay overlay : chain) {
        assertThat(
                new OverlayVerifier(pool).data(overlay, overlay.expectation(), OverlayMonitor.NONE))
            .as("seed %d", seed)
            .isEmpty();
      }
    }
  }

  /** Changes a disk as a guest may, and notes where. */
  private static void scribble(SparseDisk disk, Random random, ExtentSet.Builder changed) {
    for (int i = random.nextInt(12); i > 0; i--) {
      int at = random.nextInt((int) disk.size());
      int length = random.nextInt((int) Math.min(disk.size() - at, 300_000) + 1);
      switch (random.nextInt(4)) {
        case 0 -> disk.discard((at + 4095) & -4096, length & -4096);
        case 1 -> disk.write(at, new byte[length]);
        case 2 -> disk.write(at, random(random, length));
        default -> {
          byte[] even = new byte[length];
          Arrays.fill(even, (byte) i);
          disk.write(at, even);
        }
      }
      changed.add(at, Math.min(disk.size() - at, length + 8192L));
    }
  }

  @Test
  void extents_that_do_not_ascend_are_refused() {
    SparseDisk disk = new SparseDisk(1 << 20);
    List<Extent> extents =
        List.of(new Extent(8192, 4096, Status.DATA), new Extent(0, 4096, Status.DATA));
    assertThatIllegalArgumentException()
        .isThrownBy(() ->
            StoredOverlay.write(
                "x", pool, disk, 4096, Optional.empty(), ExtentCursor.of(extents.iterator())))
        .withMessageContaining("must ascend");
  }

  @Test
  void a_source_that_fails_ends_the_run_with_its_own_error() {
    SparseDisk content = new SparseDisk(64 << 20).write(0, new byte[64 << 20]);
    GuestDisk failing =
        new GuestDisk() {
          @Override
          public long size() {
            return content.size();
          }

          @Override
          public void read(long at, ByteBuffer dst) throws IOException {
            if (at > 20 << 20) {
              throw new IOException("medium error at " + at);
            }
            content.read(at, dst);
          }

          @Override
          public List<Extent> extents(long at, long length) {
            return content.extents(at, length);
          }

          @Override
          public void close() {}
        };
    assertThatThrownBy(() ->
            StoredOverlay.write(
                "x", pool, failing, 65536, Optional.empty(), OverlayExtents.full(failing)))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("medium error");
  }

  @Test
  void a_sink_that_fails_ends_the_run_with_its_own_error() {
    SparseDisk disk = new SparseDisk(64 << 20).write(0, random(new Random(4), 64 << 20));
    OverlaySpec spec =
        new OverlaySpec(disk.size(), 65536, Optional.empty(), StoredOverlay.IDENTITY);
    AtomicInteger appends = new AtomicInteger();
    OverlaySink failing =
        bytes -> {
          if (appends.incrementAndGet() == 5) {
            throw new IOException("no space left");
          }
          bytes.position(bytes.limit());
        };
    assertThatThrownBy(() ->
            new OverlayWriter(pool)
                .write(spec, disk, OverlayExtents.full(disk), failing, OverlayMonitor.NONE))
        .isInstanceOf(IOException.class)
        .hasMessage("no space left");
    assertThat(appends).hasValue(5);
  }

  @Test
  void a_run_that_is_cancelled_stops_soon() {
    SparseDisk disk = new SparseDisk(64 << 20).write(0, random(new Random(5), 64 << 20));
    OverlaySpec spec =
        new OverlaySpec(disk.size(), 65536, Optional.empty(), StoredOverlay.IDENTITY);
    AtomicInteger appends = new AtomicInteger();
    OverlayMonitor monitor =
        new OverlayMonitor() {
          @Override
          public void advance(long bytes) {}

          @Override
          public boolean isCancelled() {
            return appends.get() >= 3;
          }
        };
    OverlaySink sink =
        bytes -> {
          appends.incrementAndGet();
          bytes.position(bytes.limit());
        };
    assertThatThrownBy(() ->
            new OverlayWriter(pool).write(spec, disk, OverlayExtents.full(disk), sink, monitor))
        .isInstanceOf(OverlayCancelledException.class);
    assertThat(appends).hasValue(3);
  }
}
