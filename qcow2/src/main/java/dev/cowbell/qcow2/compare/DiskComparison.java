package dev.cowbell.qcow2.compare;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.io.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Compares what two disks read as. Where neither stores anything nothing is read; the shorter disk
 * counts as continued by zeroes. Memory is two buffers per thread.
 */
public final class DiskComparison {
  private static final int CHUNK = 2 << 20;
  private static final long WINDOW = 64L << 20;
  private static final int SECTOR = 512;

  private final GuestDisk first;
  private final GuestDisk second;
  private final ProgressListener listener;
  private final long end;
  private final AtomicLong nextWindow = new AtomicLong();
  private final AtomicLong mismatch = new AtomicLong(Long.MAX_VALUE);

  /** Hears how far the comparison is; called from any of its threads. */
  @FunctionalInterface
  public interface ProgressListener {
    /**
     * So many more bytes were looked at.
     *
     * @throws IOException to end the comparison
     */
    void compared(long bytes) throws IOException;
  }

  private DiskComparison(GuestDisk first, GuestDisk second, ProgressListener listener) {
    this.first = first;
    this.second = second;
    this.listener = listener;
    this.end = Math.max(first.size(), second.size());
  }

  /** The offset of the first sector of 512 bytes that differs; empty if the disks are the same. */
  public static OptionalLong firstDifference(
      GuestDisk first, GuestDisk second, int threads, ProgressListener listener)
      throws IOException {
    return new DiskComparison(first, second, listener).run(threads);
  }

  private OptionalLong run(int threads) throws IOException {
    List<Future<?>> running = new ArrayList<>();
    try (ExecutorService workers = Executors.newFixedThreadPool(threads)) {
      for (int i = 0; i < threads; i++) {
        running.add(
            workers.submit(() -> {
              new Worker().run();
              return null;
            }));
      }
    }
    for (Future<?> one : running) {
      try {
        one.get();
      } catch (ExecutionException e) {
        throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
      } catch (InterruptedException e) {
        throw new IllegalStateException("comparing threads are never interrupted", e);
      }
    }
    long found = mismatch.get();
    return found == Long.MAX_VALUE ? OptionalLong.empty() : OptionalLong.of(found & -SECTOR);
  }

  private final class Worker {
    private final ByteBuffer ours = ByteBuffer.allocateDirect(CHUNK);
    private final ByteBuffer theirs = ByteBuffer.allocateDirect(CHUNK);

    void run() throws IOException {
      boolean done = false;
      try {
        for (long at = nextWindow.getAndAdd(WINDOW);
            at < Math.min(end, mismatch.get());
            at = nextWindow.getAndAdd(WINDOW)) {
          window(at, Math.min(WINDOW, end - at));
        }
        done = true;
      } finally {
        if (!done) {
          nextWindow.set(end); // nobody needs to go on
        }
      }
    }

    private void window(long at, long length) throws IOException {
      long reported = at;
      long position = at;
      for (Extent extent : storedInEither(at, length)) {
        for (long from = Math.max(position, extent.offset());
            from < extent.end() && from < mismatch.get();
            from = position) {
          position = Math.min(extent.end(), (from & -CHUNK) + CHUNK);
          compare(from, (int) (position - from));
          listener.compared(position - reported);
          reported = position;
        }
      }
      listener.compared(at + length - reported);
    }

    private List<Extent> storedInEither(long at, long length) throws IOException {
      List<Extent> stored = new ArrayList<>(stored(first, at, length));
      stored.addAll(stored(second, at, length));
      stored.sort((a, b) -> Long.compare(a.offset(), b.offset()));
      return stored;
    }

    private List<Extent> stored(GuestDisk disk, long at, long length) throws IOException {
      long covered = Math.clamp(disk.size() - at, 0, length);
      return covered == 0
          ? List.of()
          : disk.extents(at, covered).stream()
              .filter(extent -> extent.status() == Extent.Status.DATA)
              .toList();
    }

    private void compare(long at, int length) throws IOException {
      read(first, at, ours.clear().limit(length));
      read(second, at, theirs.clear().limit(length));
      int differs = ours.clear().limit(length).mismatch(theirs.clear().limit(length));
      if (differs >= 0) {
        mismatch.accumulateAndGet(at + differs, Math::min);
      }
    }

    private void read(GuestDisk disk, long at, ByteBuffer dst) throws IOException {
      int covered = Math.clamp(disk.size() - at, 0, dst.remaining());
      int limit = dst.limit();
      if (covered > 0) {
        disk.read(at, dst.limit(covered));
      }
      Zeroes.fill(dst.limit(limit).position(covered));
    }
  }
}
