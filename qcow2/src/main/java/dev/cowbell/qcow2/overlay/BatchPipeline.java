package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.compress.FrameCodec;
import dev.cowbell.qcow2.overlay.ClusterPlan.ClusterRun;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Reads and packs an overlay's content ahead of the thread that appends it: some threads read
 * batches, the codec pool packs them, and {@link #take} gives them out in order. Memory is bounded
 * by the number of batches.
 */
final class BatchPipeline implements Closeable {
  private static final int BATCH_BYTES = 1 << 20;
  private static final int READERS = 2;

  private final GuestDisk source;
  private final CodecPool pool;
  private final OverlayMonitor monitor;
  private final BatchRing ring;
  private final ExecutorService readers =
      Executors.newFixedThreadPool(
          READERS, Thread.ofPlatform().name("overlay-read-", 0).daemon().factory());

  private final ReentrantLock planLock = new ReentrantLock();
  private final ClusterPlan plan;
  private @Nullable ClusterRun rest;
  private long batches;

  BatchPipeline(
      OverlaySpec spec,
      GuestDisk source,
      ClusterPlan plan,
      CodecPool pool,
      OverlayMonitor monitor,
      boolean digested,
      NativeBuffers buffers) {
    this.source = source;
    this.plan = plan;
    this.pool = pool;
    this.monitor = monitor;
    int clusters = Math.max(1, BATCH_BYTES / spec.clusterSize());
    List<Batch> all = new ArrayList<>();
    // Each thread has one in hand, and one more waits for it.
    for (int i = 0; i < 2 * (pool.threadCount() + READERS) + 1; i++) {
      all.add(new Batch(spec, clusters, digested, buffers));
    }
    ring = new BatchRing(all);
    for (int i = 0; i < READERS; i++) {
      readers.execute(this::read);
    }
  }

  /** Waits for the next batch; null behind the last one. */
  @Nullable Batch take() throws IOException {
    return ring.take();
  }

  /** Gives back what {@link #take} gave. */
  void release(Batch batch) {
    ring.release(batch);
  }

  private void read() {
    for (Batch batch = ring.acquire(); batch != null; batch = ring.acquire()) {
      try {
        monitor.check();
        if (!plan(batch)) {
          ring.release(batch);
          return;
        }
        batch.read(source);
      } catch (Throwable e) {
        ring.fail(e);
        ring.release(batch);
        return;
      }
      Batch filled = batch;
      pool.submit(codec -> compress(filled, codec));
    }
  }

  private void compress(Batch batch, FrameCodec codec) {
    try {
      batch.compress(codec);
      ring.complete(batch);
    } catch (Throwable e) {
      ring.fail(e);
      ring.release(batch);
    }
  }

  /** Says what the batch is to hold; false if there is nothing left. */
  private boolean plan(Batch batch) throws IOException {
    planLock.lock();
    try {
      batch.reset(batches);
      while (!batch.isFull()) {
        ClusterRun run = rest != null ? rest : plan.next();
        rest = null;
        if (run == null) {
          break;
        }
        long next = run.start() + batch.add(run.start(), run.end() - run.start(), run.zero());
        rest = next < run.end() ? new ClusterRun(next, run.end(), run.zero()) : null;
      }
      if (batch.isEmpty()) {
        ring.end(batches);
        return false;
      }
      batches++;
      return true;
    } catch (Throwable e) {
      // Before another reader asks a plan that has failed, and takes what it says for the end.
      ring.fail(e);
      throw e;
    } finally {
      planLock.unlock();
    }
  }

  /** Returns when no thread uses source or buffers any more. */
  @Override
  public void close() {
    ring.stopAndDrain();
    readers.close();
  }
}
