package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.compress.FrameCodec;
import dev.cowbell.qcow2.compress.ZstdFrame;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A few frames of every stretch of an object: its first, its last and one between, chosen by their
 * places. A stretch that is shifted, cut off, left out or of other content is seen by these.
 */
final class FrameSample {

  /** Less than S3's smallest copy, so that each range that is copied holds an end of a stretch. */
  static final int STRETCH = 4 << 20;

  private static final int READERS = 8;

  /** The frames chosen of one kind, one of each stretch; 0 is no place of a frame. */
  private static final class Chosen {
    final long[] hosts;
    final int[] lengths;
    final long[] guests;

    Chosen(int stretches) {
      hosts = new long[stretches];
      lengths = new int[stretches];
      guests = new long[stretches];
    }

    void set(int stretch, FrameCursor frame) {
      hosts[stretch] = frame.hostOffset();
      lengths[stretch] = (int) (frame.hostEnd() - frame.hostOffset());
      guests[stretch] = frame.guestOffset();
    }
  }

  private final Chosen first;
  private final Chosen last;
  private final Chosen between;

  /**
   * @param objectSize in bytes
   */
  FrameSample(long objectSize) {
    int stretches = (int) (objectSize / STRETCH) + 1;
    first = new Chosen(stretches);
    last = new Chosen(stretches);
    between = new Chosen(stretches);
  }

  /** Looks at one frame; each is to be offered once. */
  void offer(FrameCursor frame) {
    long host = frame.hostOffset();
    int stretch = (int) (host / STRETCH);
    if (first.hosts[stretch] == 0 || host < first.hosts[stretch]) {
      first.set(stretch, frame);
    }
    if (host > last.hosts[stretch]) {
      last.set(stretch, frame);
    }
    if (between.hosts[stretch] == 0 || scattered(host) < scattered(between.hosts[stretch])) {
      between.set(stretch, frame);
    }
  }

  /** An order of places in which neighbours are far from each other. */
  private static long scattered(long host) {
    long z = (host ^ (host >>> 30)) * 0xbf58476d1ce4e5b9L;
    return z ^ (z >>> 27);
  }

  /** Reads what was chosen and unpacks it; what can't be is damage. */
  void check(OverlaySource source, int clusterSize, OverlayMonitor monitor, DamageList damages)
      throws IOException {
    AtomicInteger next = new AtomicInteger();
    List<Future<?>> readers = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < READERS; i++) {
        readers.add(
            threads.submit(() -> {
              read(next, source, clusterSize, monitor, damages);
              return next;
            }));
      }
    }
    for (Future<?> reader : readers) {
      await(reader);
    }
    monitor.check();
  }

  private void read(
      AtomicInteger next,
      OverlaySource source,
      int clusterSize,
      OverlayMonitor monitor,
      DamageList damages)
      throws IOException {
    int longest =
        Arrays.stream(new Chosen[] {first, last, between})
            .flatMapToInt(chosen -> Arrays.stream(chosen.lengths))
            .max()
            .orElse(0);
    ByteBuffer packed = ByteBuffer.allocateDirect(longest);
    ByteBuffer cluster = ByteBuffer.allocateDirect(clusterSize);
    try (FrameCodec codec = new FrameCodec()) {
      for (int i = next.getAndIncrement();
          i < first.hosts.length && !monitor.isCancelled();
          i = next.getAndIncrement()) {
        for (Chosen chosen : List.of(first, last, between)) {
          boolean again = chosen != first && chosen.hosts[i] == first.hosts[i];
          if (chosen.hosts[i] != 0 && !again) {
            check(chosen, i, source, packed, cluster, codec, damages);
          }
        }
      }
    }
  }

  private static void check(
      Chosen chosen,
      int stretch,
      OverlaySource source,
      ByteBuffer packed,
      ByteBuffer cluster,
      FrameCodec codec,
      DamageList damages)
      throws IOException {
    long host = chosen.hosts[stretch];
    int limit = (int) Math.min(chosen.lengths[stretch], source.size() - host);
    source.read(host, packed.clear().limit(limit));
    try {
      int length = ZstdFrame.length(packed, 0, limit, cluster.capacity());
      codec.decompress(packed, 0, length, cluster.clear(), 0, cluster.capacity());
    } catch (CorruptImageException e) {
      damages.add(
          new OverlayDamage.Lost(
              chosen.guests[stretch],
              cluster.capacity(),
              "the frame at " + host + ": " + e.getMessage()));
    }
  }

  private static void await(Future<?> reader) throws IOException {
    try {
      reader.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while frames were verified", e);
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException io -> throw io;
        case RuntimeException other -> throw other;
        case Error other -> throw other;
        case null, default -> throw new AssertionError(e);
      }
    }
  }
}
