package dev.cowbell.qcow2.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;

final class OverlayChainTest {

  /** A chain of random overlays, and what its newest disk must read as. */
  private static final class Sample {
    private final List<OverlayInMemory> overlays;
    private final byte[] expected;

    Sample(List<OverlayInMemory> overlays, byte[] expected) {
      this.overlays = overlays;
      this.expected = expected;
    }
  }

  private static Sample random(Random random) {
    List<OverlayInMemory> overlays = new ArrayList<>();
    byte[] disk = new byte[0];
    int length = 1 + random.nextInt(6);
    for (int i = 0; i < length; i++) {
      int bits = 12 + random.nextInt(5);
      int size = 512 * (1 + random.nextInt(2000));
      // As with QEMU, what lies behind the parent's end is zero: a copy grows with zeroes.
      disk = Arrays.copyOf(disk, size);
      Map<Long, Optional<byte[]>> clusters = new TreeMap<>();
      int changes = random.nextInt(1 + (size >> bits));
      for (int n = 0; n < changes; n++) {
        long cluster = random.nextInt(((size - 1) >> bits) + 1);
        byte[] content = new byte[1 << bits];
        if (random.nextInt(4) > 0) {
          random.nextBytes(content);
          Arrays.fill(content, 0, content.length / (1 + random.nextInt(4)), (byte) n);
        }
        int start = (int) (cluster << bits);
        int end = Math.min(size, start + content.length);
        // an overlay's last cluster is filled up with zeroes
        Arrays.fill(content, end - start, content.length, (byte) 0);
        boolean zero = random.nextInt(5) == 0;
        clusters.put(cluster, zero ? Optional.empty() : Optional.of(content));
        System.arraycopy(zero ? new byte[content.length] : content, 0, disk, start, end - start);
      }
      overlays.addFirst(new OverlayInMemory("p" + i + ".qcow2", size, bits, clusters));
    }
    return new Sample(overlays, disk);
  }

  @Test
  void random_chains_of_mixed_cluster_and_disk_sizes_read_as_their_model() throws IOException {
    for (int round = 0; round < 150; round++) {
      long seed = new Random().nextLong();
      Sample sample = random(new Random(seed));
      OverlayChain chain = new OverlayChain(sample.overlays);
      assertThat(chain.size()).isEqualTo(sample.expected.length);
      assertThat(readAll(chain)).as("seed %d, streamed", seed).isEqualTo(sample.expected);
      readsAtRandomPlaces(seed, sample, chain);
    }
  }

  private static void readsAtRandomPlaces(long seed, Sample sample, OverlayChain chain)
      throws IOException {
    Random random = new Random(seed + 1);
    byte[] expected = sample.expected;
    try (OverlayChainDisk disk = new OverlayChainDisk(chain)) {
      for (int i = 0; i < 10; i++) {
        int at = random.nextInt(expected.length);
        int length = random.nextInt(expected.length - at) + 1;
        ByteBuffer got = ByteBuffer.allocate(length);
        disk.read(at, got);
        assertThat(got.array())
            .as("seed %d, at %d, length %d", seed, at, length)
            .isEqualTo(Arrays.copyOfRange(expected, at, at + length));
        long next = at;
        for (Extent extent : disk.extents(at, length)) {
          assertThat(extent.offset()).as("seed %d", seed).isEqualTo(next);
          next = extent.end();
          if (extent.status() != Extent.Status.DATA) {
            byte[] claimed = Arrays.copyOfRange(expected, (int) extent.offset(), (int) next);
            assertThat(claimed).as("seed %d, %s", seed, extent).isEqualTo(new byte[claimed.length]);
          }
        }
        assertThat(next).as("seed %d", seed).isEqualTo(at + length);
      }
    }
  }

  /** Every byte must arrive exactly once. */
  private static byte[] readAll(OverlayChain chain) throws IOException {
    byte[] content = new byte[(int) chain.size()];
    byte[] arrivals = new byte[content.length];
    new ChainReader(chain, 2, 3)
        .readAll(
            new ChainSink() {
              @Override
              public synchronized void data(long at, ByteBuffer bytes) {
                count(at, bytes.remaining());
                bytes.get(content, (int) at, bytes.remaining());
              }

              @Override
              public synchronized void zeroes(long at, long length) {
                count(at, length);
              }

              private void count(long at, long length) {
                for (long i = at; i < at + length; i++) {
                  arrivals[(int) i]++;
                }
              }
            });
    byte[] once = new byte[arrivals.length];
    Arrays.fill(once, (byte) 1);
    assertThat(arrivals).isEqualTo(once);
    return content;
  }

  @Test
  void a_flipped_byte_is_found_and_the_rest_still_arrives() throws IOException {
    Map<Long, Optional<byte[]>> clusters = new TreeMap<>();
    for (long c = 0; c < 8; c++) {
      byte[] content = new byte[4096];
      new Random(c).nextBytes(content);
      clusters.put(c, Optional.of(content));
    }
    OverlayInMemory overlay = new OverlayInMemory("p.qcow2", 8 * 4096, 12, clusters);
    overlay.object()[100 + 4109 * 3 + 2000] ^= 1;
    OverlayChain chain = new OverlayChain(List.of(overlay));
    assertThatThrownBy(() -> readAll(chain))
        .isInstanceOf(DamagedClusterException.class)
        .hasMessageContaining("p.qcow2: the cluster of guest bytes 12288 to 16383");

    List<Long> arrived = new ArrayList<>();
    ConcurrentLinkedQueue<DamagedClusterException> damages = new ConcurrentLinkedQueue<>();
    new ChainReader(chain, 2, 2)
        .readAll(
            new ChainSink() {
              @Override
              public synchronized void data(long at, ByteBuffer bytes) {
                for (long i = at; i < at + bytes.remaining(); i += 4096) {
                  arrived.add(i / 4096);
                }
              }

              @Override
              public void zeroes(long at, long length) {}

              @Override
              public void damaged(DamagedClusterException damage) {
                damages.add(damage);
              }
            });
    assertThat(damages).singleElement().extracting(d -> d.guestOffset()).isEqualTo(3 * 4096L);
    assertThat(arrived).containsExactlyInAnyOrder(0L, 1L, 2L, 4L, 5L, 6L, 7L);
  }

  @Test
  void a_huge_sparse_disk_costs_what_it_holds() throws IOException {
    long size = 10L << 40;
    byte[] content = new byte[65536];
    Arrays.fill(content, (byte) 7);
    long last = (size - 1) >> 16;
    OverlayInMemory overlay =
        new OverlayInMemory(
            "p.qcow2",
            size,
            16,
            new TreeMap<>(Map.of(5L, Optional.of(content), last, Optional.of(content))));
    List<Long> arrived = new ArrayList<>();
    new ChainReader(new OverlayChain(List.of(overlay)), 1, 2)
        .readAll(
            new ChainSink() {
              @Override
              public synchronized void data(long at, ByteBuffer bytes) {
                arrived.add(at);
              }

              @Override
              public void zeroes(long at, long length) {}
            });
    assertThat(arrived).containsExactlyInAnyOrder(5L << 16, last << 16);
  }

  @Test
  void a_failing_sink_stops_the_reading_with_its_own_words() {
    Map<Long, Optional<byte[]>> clusters = new TreeMap<>();
    for (long c = 0; c < 2000; c++) {
      clusters.put(c, Optional.of(new byte[4096]));
    }
    OverlayInMemory overlay = new OverlayInMemory("p.qcow2", 2000 * 4096, 12, clusters);
    assertThatThrownBy(() ->
            new ChainReader(new OverlayChain(List.of(overlay)), 2, 2)
                .readAll(
                    new ChainSink() {
                      @Override
                      public void data(long at, ByteBuffer bytes) throws IOException {
                        throw new IOException("no space left");
                      }

                      @Override
                      public void zeroes(long at, long length) {}
                    }))
        .isInstanceOf(IOException.class)
        .hasMessage("no space left");
  }
}
