package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.io.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Copies all of a disk into a new image with several threads: each reads a chunk, finds the zeroes
 * in it, compresses it, waits for its turn to learn where the chunk goes, and writes it. The result
 * is the same whatever the threads do. Memory is a few chunks per thread.
 *
 * @param source what to copy
 * @param target where to; as large as the source, rounded up to whole sectors
 * @param below what the target shows where nothing is written; empty for zeroes
 * @param packer makes the compressors, one per thread; empty to compress nothing
 * @param findZeroes whether to look for zeroes in what is stored, or to write it all
 * @param threads how many work at it, at least 1
 * @param listener hears how far it is
 */
public record DiskCopy(
    GuestDisk source,
    CopyTarget target,
    Optional<GuestDisk> below,
    Optional<Supplier<ClusterPacker>> packer,
    boolean findZeroes,
    int threads,
    CopyListener listener) {

  /** Small enough to stay in a core's cache between reading and writing. */
  private static final int CHUNK = 512 << 10;

  private static final ByteBuffer ZEROES =
      ByteBuffer.allocateDirect(1 << Geometry.MAX_CLUSTER_BITS).asReadOnlyBuffer();

  /** A plain copy on all cores. */
  public static DiskCopy of(GuestDisk source, CopyTarget target, CopyListener listener) {
    return new DiskCopy(
        source,
        target,
        Optional.empty(),
        Optional.empty(),
        true,
        Runtime.getRuntime().availableProcessors(),
        listener);
  }

  /** Copies everything and makes the target complete. */
  public void run() throws IOException {
    ChunkPlan plan = new ChunkPlan(source, Math.max(CHUNK, target.unit()), !findZeroes);
    InOrder order = new InOrder();
    ExecutorService workers =
        Executors.newFixedThreadPool(threads, Thread.ofPlatform().name("copy-", 0).factory());
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        running.add(
            workers.submit(() -> {
              work(plan, order);
              return null;
            }));
      }
      waitFor(running);
    } finally {
      workers.close();
    }
    target.finish();
  }

  private static void waitFor(List<Future<?>> running) throws IOException {
    IOException failure = null;
    for (Future<?> one : running) {
      try {
        one.get();
      } catch (ExecutionException e) {
        IOException failed =
            e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
        if (failure == null) {
          failure = failed;
        } else {
          failure.addSuppressed(failed);
        }
      } catch (InterruptedException e) {
        throw new IllegalStateException("copying threads are never interrupted", e);
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private void work(ChunkPlan plan, InOrder order) throws IOException {
    boolean done = false;
    try (ClusterPacker own = packer.map(Supplier::get).orElse(null)) {
      Worker worker = new Worker(own);
      while (!order.hasFailed()) {
        ChunkPlan.Stretch stretch;
        synchronized (plan) {
          stretch = plan.next();
        }
        if (stretch == null || !worker.copy(stretch, order)) {
          break;
        }
        listener.copied(stretch.length());
      }
      done = true;
    } finally {
      if (!done) {
        order.fail();
      }
    }
  }

  /** One thread's buffers and work. */
  private final class Worker {
    private final @Nullable ClusterPacker own;
    private final int unit = target.unit();
    private final Chunk chunk;
    private final @Nullable ByteBuffer belowContent;

    Worker(@Nullable ClusterPacker own) {
      this.own = own;
      chunk = new Chunk(unit, Math.max(CHUNK, unit), own != null);
      belowContent = below.isPresent() ? ByteBuffer.allocateDirect(Math.max(CHUNK, unit)) : null;
    }

    boolean copy(ChunkPlan.Stretch stretch, InOrder order) throws IOException {
      if (stretch.isZero() && below.isEmpty()) {
        return order.run(
            stretch.number(), () -> target.placeZeroes(stretch.start(), stretch.length()));
      }
      if (stretch.isZero()) {
        return overwriteBelow(stretch, order);
      }
      fill(stretch);
      decide(stretch);
      boolean placed = order.run(stretch.number(), () -> target.place(chunk));
      if (placed) {
        target.write(chunk);
      }
      return placed;
    }

    /** Makes a run zero, but only where what lies below isn't. */
    private boolean overwriteBelow(ChunkPlan.Stretch stretch, InOrder order) throws IOException {
      return order.run(
          stretch.number(),
          () -> {
            long end = stretch.start() + stretch.length();
            for (long at = stretch.start(); at < end; at += CHUNK) {
              long length = Math.min(CHUNK, end - at);
              for (Extent extent : storedBelow(at, length)) {
                long first = extent.offset() & -unit;
                long last = (extent.end() + unit - 1) & -unit;
                target.placeZeroes(first, last - first);
              }
            }
          });
    }

    private List<Extent> storedBelow(long at, long length) throws IOException {
      GuestDisk disk = below.orElseThrow();
      long covered = Math.clamp(disk.size() - at, 0, length);
      return covered == 0
          ? List.of()
          : disk.extents(at, covered).stream()
              .filter(extent -> extent.status() == Extent.Status.DATA)
              .toList();
    }

    /** Reads the stretch; what is not stored becomes zeroes. */
    private void fill(ChunkPlan.Stretch stretch) throws IOException {
      chunk.begin(stretch.start(), (int) stretch.length());
      ByteBuffer content = chunk.content();
      int limit = content.limit();
      for (Extent extent : stretch.stored()) {
        int from = (int) (extent.offset() - stretch.start());
        Zeroes.fill(content, from - content.position());
        content.limit(from + (int) extent.length());
        source.read(extent.offset(), content);
        content.limit(limit);
      }
      Zeroes.fill(content);
      content.clear().limit(limit);
    }

    private void decide(ChunkPlan.Stretch stretch) throws IOException {
      readBelow(stretch);
      int next = 0;
      List<Extent> stored = stretch.stored();
      for (int i = 0; i < chunk.units(); i++) {
        long start = chunk.guestOffset(i);
        while (next < stored.size() && stored.get(next).end() <= start) {
          next++;
        }
        boolean isStored = next < stored.size() && stored.get(next).offset() < start + unit;
        decideUnit(i, !isStored);
      }
    }

    private void decideUnit(int index, boolean knownZero) {
      ByteBuffer content = chunk.content().slice(index * unit, unit);
      ByteBuffer under = belowContent;
      if (under != null && content.mismatch(under.slice(index * unit, unit)) < 0) {
        return;
      }
      if (knownZero || (findZeroes && isZero(content))) {
        if (under != null || !target.startsZero()) {
          chunk.set(index, Chunk.Fate.ZERO);
        }
      } else if (own == null || !pack(index, content, own)) {
        chunk.set(index, Chunk.Fate.PLAIN);
      }
    }

    private boolean pack(int index, ByteBuffer content, ClusterPacker packer) {
      ByteBuffer packed = chunk.packed();
      int at = packed.position();
      packed.limit(Math.min(packed.capacity(), at + unit - 1));
      int length = packer.pack(content, packed);
      packed.clear().position(at + Math.max(0, length));
      if (length > 0) {
        chunk.setCompressed(index, at, length);
      }
      return length > 0;
    }

    private void readBelow(ChunkPlan.Stretch stretch) throws IOException {
      if (belowContent == null) {
        return;
      }
      belowContent.clear().limit(chunk.content().limit());
      GuestDisk disk = below.orElseThrow();
      int covered = (int) Math.clamp(disk.size() - stretch.start(), 0, stretch.length());
      if (covered > 0) {
        int limit = belowContent.limit();
        belowContent.limit(covered);
        disk.read(stretch.start(), belowContent);
        belowContent.limit(limit);
      }
      Zeroes.fill(belowContent);
    }

    private boolean isZero(ByteBuffer content) {
      return content.mismatch(ZEROES.slice(0, content.remaining())) < 0;
    }
  }
}
