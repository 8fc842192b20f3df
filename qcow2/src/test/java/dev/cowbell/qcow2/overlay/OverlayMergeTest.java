package dev.cowbell.qcow2.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.compress.CodecPool;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class OverlayMergeTest {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 40);
  private static final MergeLimits FINE = new MergeLimits(8 << 10, 4 << 10);

  private static CodecPool pool = new CodecPool(1);

  @BeforeAll
  static void startPool() {
    pool = new CodecPool(2);
  }

  @AfterAll
  static void stopPool() {
    pool.close();
  }

  /** The overlays of a chain, newest first, and what the disk holds. */
  private static final class History {
    final Random random;
    final List<StoredOverlay> chain = new ArrayList<>();
    SparseDisk disk;

    History(Random random, long size) {
      this.random = random;
      this.disk = new SparseDisk(size);
    }

    void backUp(int clusterSize) throws IOException {
      ExtentSet.Builder changed = ExtentSet.builder();
      if (random.nextInt(6) == 0) {
        long old = disk.size();
        disk = disk.resized(old + random.nextInt(300_000));
        changed.add(old & -512L, disk.size() - (old & -512L));
      }
      for (int i = random.nextInt(12); i >= 0; i--) {
        int length = 1 + random.nextInt(1 << (6 + random.nextInt(13)));
        long at = random.nextLong(Math.max(1, disk.size() - length));
        length = (int) Math.min(length, disk.size() - at);
        changed.add(at, length);
        byte[] bytes = new byte[length];
        if (random.nextInt(4) > 0) {
          random.nextBytes(bytes);
          Arrays.fill(bytes, 0, random.nextInt(length + 1), (byte) 3);
        }
        disk.write(at, bytes);
      }
      boolean full = chain.isEmpty();
      chain.addFirst(
          StoredOverlay.write(
              "overlay-" + chain.size(),
              pool,
              disk,
              clusterSize,
              full ? Optional.empty() : Optional.of("below.qcow2"),
              full ? OverlayExtents.full(disk) : OverlayExtents.changed(disk, changed.build())));
    }
  }

  private static OverlayChain open(List<StoredOverlay> chain) throws IOException {
    List<OverlayReader> readers = new ArrayList<>();
    for (StoredOverlay overlay : chain) {
      readers.add(overlay.open());
    }
    return new OverlayChain(readers);
  }

  private static byte[] content(List<StoredOverlay> chain) throws IOException {
    OverlayChain open = open(chain);
    try (OverlayChainDisk disk = new OverlayChainDisk(open)) {
      ByteBuffer all = ByteBuffer.allocate((int) disk.size());
      disk.read(0, all);
      byte[] whole = new byte[all.capacity()];
      new ChainReader(open, 2, 4)
          .readAll(
              new ChainSink() {
                @Override
                public void data(long at, ByteBuffer bytes) {
                  synchronized (whole) {
                    bytes.get(whole, (int) at, bytes.remaining());
                  }
                }

                @Override
                public void zeroes(long at, long length) {}
              });
      assertThat(whole).isEqualTo(all.array());
      return whole;
    }
  }

  private static StoredOverlay merge(List<StoredOverlay> chain, int count, MergeLimits limits)
      throws IOException {
    OverlayMerge merge =
        new OverlayMerge(
            open(chain),
            count,
            count == chain.size() ? Optional.empty() : Optional.of("below.qcow2"),
            StoredOverlay.IDENTITY);
    MergePlan plan = merge.plan(limits);
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    WrittenOverlay written =
        merge.write(
            plan,
            new MergeSink() {
              @Override
              public void append(ByteBuffer bytes) {
                byte[] copy = new byte[bytes.remaining()];
                bytes.get(copy);
                body.writeBytes(copy);
              }

              @Override
              public void appendCopy(int overlay, long at, long length) {
                body.write(chain.get(overlay).object(), (int) at, (int) length);
              }
            },
            pool,
            OverlayMonitor.NONE);
    ByteBuffer object = ByteBuffer.allocate(plan.spec().headLength() + body.size());
    object.put(written.head()).put(body.toByteArray());
    assertThat(written.summary().size()).isEqualTo(object.capacity());
    return new StoredOverlay("merged", object.array(), written.summary());
  }

  private static void assertUndamaged(StoredOverlay overlay) throws IOException {
    OverlayVerifier verifier = new OverlayVerifier(pool);
    assertThat(verifier.metadata(overlay, overlay.expectation())).isEmpty();
    assertThat(verifier.data(overlay, overlay.expectation(), OverlayMonitor.NONE)).isEmpty();
  }

  @Test
  void whatever_is_merged_reads_the_same_upon_what_is_below_and_upon_what_it_took_in()
      throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    try {
      for (int round = 0; round < ROUNDS; round++) {
        round(new Random(seed + round));
      }
    } catch (AssertionError | RuntimeException | IOException e) {
      throw new AssertionError("-Dcowbell.seed=" + seed, e);
    }
  }

  private static void round(Random random) throws IOException {
    History history = new History(random, 1 + random.nextInt(2 << 20));
    int least = random.nextBoolean() ? 12 : 13;
    for (int i = 0; i < 3 + random.nextInt(5); i++) {
      history.backUp(1 << (least + random.nextInt(4)));
    }
    assertRight(history);
    for (int merges = 0; merges < 3 && history.chain.size() > 1; merges++) {
      byte[] before = content(history.chain);
      int count = 1 + random.nextInt(history.chain.size());
      StoredOverlay merged =
          merge(history.chain, count, random.nextInt(4) == 0 ? MergeLimits.USUAL : FINE);
      assertUndamaged(merged);
      for (int below = 1; below <= count; below++) {
        List<StoredOverlay> upon =
            new ArrayList<>(history.chain.subList(below, history.chain.size()));
        upon.addFirst(merged);
        assertThat(content(upon)).isEqualTo(before);
      }
      history.chain.subList(0, count).clear();
      history.chain.addFirst(merged);
      if (random.nextBoolean()) {
        history.backUp(1 << (least + random.nextInt(4)));
        assertRight(history);
      }
    }
    assertRight(history);
  }

  private static void assertRight(History history) throws IOException {
    int first =
        Arrays.mismatch(
            Arrays.copyOf(content(history.chain), (int) history.disk.size()),
            history.disk.content());
    assertThat(first).as("first byte that differs").isEqualTo(-1);
  }

  @Test
  void long_ranges_are_copied_and_dead_ones_are_left_out() throws IOException {
    Random random = new Random(7);
    byte[] bytes = new byte[8 << 20];
    random.nextBytes(bytes);
    History history = new History(random, 8 << 20);
    history.disk.write(0, bytes);
    history.chain.add(
        StoredOverlay.write(
            "full",
            pool,
            history.disk,
            65536,
            Optional.empty(),
            OverlayExtents.full(history.disk)));
    random.nextBytes(bytes);
    history.disk.write(2 << 20, Arrays.copyOf(bytes, 2 << 20));
    history.chain.addFirst(
        StoredOverlay.write(
            "increment",
            pool,
            history.disk,
            65536,
            Optional.of("full.qcow2"),
            OverlayExtents.changed(history.disk, ExtentSet.of(2 << 20, 2 << 20))));
    OverlayMerge merge =
        new OverlayMerge(open(history.chain), 2, Optional.empty(), StoredOverlay.IDENTITY);
    MergePlan plan = merge.plan(new MergeLimits(1 << 20, 64 << 10));
    assertThat(plan.copies()).hasSize(3);
    assertThat(plan.copiedBytes()).isBetween(8L << 20, (8L << 20) + (100 << 10));
    assertThat(plan.movedFrames()).isZero();
    StoredOverlay merged = merge(history.chain, 2, new MergeLimits(1 << 20, 64 << 10));
    assertUndamaged(merged);
    assertThat(merged.size()).isBetween(8L << 20, (8L << 20) + (700 << 10));
    assertThat(content(List.of(merged))).isEqualTo(history.disk.content());
  }

  @Test
  void any_flipped_byte_that_matters_is_found() throws IOException {
    Random random = new Random(11);
    History history = new History(random, 700_000);
    for (int i = 0; i < 3; i++) {
      history.backUp(4096);
    }
    StoredOverlay merged = merge(history.chain, 2, FINE);
    List<StoredOverlay> chain = List.of(merged, history.chain.getLast());
    byte[] right = content(chain);
    for (int i = 0; i < 400; i++) {
      byte[] object = merged.object().clone();
      object[random.nextInt(object.length)] ^= (byte) (1 << random.nextInt(8));
      StoredOverlay flipped = merged.with(object);
      boolean found =
          !new OverlayVerifier(pool)
              .data(flipped, merged.expectation(), OverlayMonitor.NONE)
              .isEmpty();
      if (!found) {
        assertThat(content(List.of(flipped, chain.getLast()))).isEqualTo(right);
      }
    }
  }

  @Test
  void frames_come_in_the_order_of_their_places_however_small_the_groups() throws IOException {
    Random random = new Random(5);
    History history = new History(random, 2 << 20);
    for (int i = 0; i < 6; i++) {
      history.backUp(4096);
    }
    StoredOverlay merged = merge(history.chain, 6, FINE);
    for (int group : new int[] {1, 2, 7, 1000}) {
      DamageList damages = new DamageList();
      FramesByPlace frames = new FramesByPlace(merged.open(), damages, group);
      long last = 0;
      long count = 0;
      while (frames.next()) {
        assertThat(frames.hostOffset()).isGreaterThan(last);
        last = frames.hostOffset();
        count++;
      }
      assertThat(count).isEqualTo(merged.summary().dataClusters());
      assertThat(damages.toList()).isEmpty();
    }
  }

  @Test
  void a_disk_that_shrank_on_the_way_is_not_merged() {
    assertThat(OverlayMerge.obstacle(List.of(4L, 8L), 1)).isPresent();
    assertThat(OverlayMerge.obstacle(List.of(8L, 8L, 4L), 2)).isEmpty();
    assertThat(OverlayMerge.obstacle(List.of(8L, 4L, 9L), 1)).isEmpty();
    assertThatExceptionOfType(IllegalArgumentException.class)
        .isThrownBy(() -> {
          History history = new History(new Random(1), 100_000);
          history.backUp(4096);
          history.disk = history.disk.resized(50_000);
          history.chain.addFirst(
              StoredOverlay.write(
                  "small",
                  pool,
                  history.disk,
                  4096,
                  Optional.of("below.qcow2"),
                  OverlayExtents.changed(history.disk, ExtentSet.of(0, 1))));
          merge(history.chain, 2, FINE);
        });
  }
}
