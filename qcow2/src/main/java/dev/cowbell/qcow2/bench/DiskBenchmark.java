package dev.cowbell.qcow2.bench;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.WritableDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * Times requests to a disk. As many threads as there may be requests at once each make the next one
 * as soon as their last is done; none hands work to another.
 */
public final class DiskBenchmark {

  /**
   * What to write.
   *
   * @param pattern the byte that is written
   * @param flushInterval the requests from one flush to the next; 0 for none
   * @param draining whether a flush waits until no request is under way, and they for it
   */
  public record Writes(byte pattern, int flushInterval, boolean draining) {}

  /** Looks in between requests whether to go on; throws when not. */
  @FunctionalInterface
  public interface Stop {
    void check() throws IOException;
  }

  private static final int PAGE = 4096;

  private final RequestPattern requests;
  private final int depth;
  private final Stop stop;
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
  private final ReadWriteLock drain = new ReentrantReadWriteLock();

  /**
   * @param depth how many requests there may be at once, at least 1
   */
  public DiskBenchmark(RequestPattern requests, int depth, Stop stop) {
    this.requests = requests;
    this.depth = depth;
    this.stop = stop;
  }

  /** One kind of request. */
  private interface Request {
    void on(int index, long at, ByteBuffer buffer) throws IOException;
  }

  /**
   * Reads from a disk.
   *
   * @return how long it took
   * @throws IOException what the first failing request failed with
   */
  public Duration read(GuestDisk disk) throws IOException {
    return run(disk.size(), (byte) 0, (_, at, buffer) -> disk.read(at, buffer));
  }

  /** Writes to a disk, whose content is lost. */
  public Duration write(WritableDisk disk, Writes writes) throws IOException {
    int interval = writes.flushInterval();
    if (interval == 0) {
      return run(disk.size(), writes.pattern(), (_, at, buffer) -> disk.write(at, buffer));
    }
    Lock request = writes.draining() ? drain.readLock() : new ReentrantReadWriteLock().readLock();
    Lock flush = writes.draining() ? drain.writeLock() : new ReentrantReadWriteLock().readLock();
    return run(
        disk.size(),
        writes.pattern(),
        (index, at, buffer) -> {
          request.lock();
          try {
            disk.write(at, buffer);
          } finally {
            request.unlock();
          }
          if ((index + 1) % interval == 0) {
            flush.lock();
            try {
              disk.flush();
            } finally {
              flush.unlock();
            }
          }
        });
  }

  private Duration run(long size, byte pattern, Request request) throws IOException {
    if (requests.count() > 0 && (requests.length() > size || requests.offset() >= size)) {
      throw new IOException(
          "requests of %d bytes from %d on don't fit a disk of %d bytes"
              .formatted(requests.length(), requests.offset(), size));
    }
    List<Thread> others = new ArrayList<>();
    List<Runnable> workers = new ArrayList<>();
    for (int i = 0; i < Math.min(depth, requests.count()); i++) {
      // An aligned slice ends at a page, too.
      ByteBuffer buffer =
          ByteBuffer.allocateDirect(requests.length() + 2 * PAGE).alignedSlice(PAGE);
      buffer.limit(requests.length());
      while (buffer.hasRemaining()) {
        buffer.put(pattern);
      }
      workers.add(() -> work(size, buffer, request));
    }
    long started = System.nanoTime();
    for (int i = 1; i < workers.size(); i++) {
      others.add(Thread.ofPlatform().daemon().name("bench-" + i).start(workers.get(i)));
    }
    if (!workers.isEmpty()) {
      workers.getFirst().run();
    }
    join(others);
    Duration taken = Duration.ofNanos(System.nanoTime() - started);
    switch (failure.get()) {
      case null -> {}
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Throwable e -> throw new IOException(e);
    }
    return taken;
  }

  private static void join(List<Thread> threads) {
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void work(long size, ByteBuffer buffer, Request request) {
    try {
      while (failure.get() == null) {
        int index = next.getAndIncrement();
        if (index >= requests.count()) {
          next.set(requests.count());
          return;
        }
        stop.check();
        request.on(index, requests.at(index, size), buffer.clear().limit(requests.length()));
      }
    } catch (IOException | RuntimeException | Error e) {
      failure.compareAndSet(null, e);
    }
  }
}
