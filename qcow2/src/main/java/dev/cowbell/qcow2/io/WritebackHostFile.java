package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A host file that goes to its disk while it is still being filled, so that the flush at the end
 * finds little left to do. For files that are written at length and have to be durable.
 */
public final class WritebackHostFile extends ForwardingHostFile {

  /** Large enough that the disk sees long runs, small enough that little waits at the end. */
  private static final long STEP = 64L << 20;

  private final HostFile file;
  private final ReentrantLock lock = new ReentrantLock();
  private final AtomicReference<@Nullable IOException> failure = new AtomicReference<>();
  private long unflushed;
  private @Nullable Thread running;

  private WritebackHostFile(HostFile file) {
    super(file);
    this.file = file;
  }

  /** Closing the one that is returned waits, but leaves {@code file} open. */
  public static WritebackHostFile over(HostFile file) {
    return new WritebackHostFile(file);
  }

  @Override
  public int read(long at, ByteBuffer dst) throws IOException {
    return file.read(at, dst);
  }

  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    int length = src.remaining();
    file.write(at, src);
    lock.lock();
    try {
      unflushed += length;
      if (unflushed >= STEP && (running == null || !running.isAlive())) {
        unflushed = 0;
        running = Thread.ofPlatform().daemon().name("write-back").start(this::writeBack);
      }
    } finally {
      lock.unlock();
    }
  }

  private void writeBack() {
    try {
      file.flush();
    } catch (IOException e) {
      failure.compareAndSet(null, e);
    }
  }

  /**
   * {@inheritDoc}
   *
   * @throws IOException also if an earlier write-back failed: the kernel reports that once, so the
   *     flush now would succeed although bytes are lost
   */
  @Override
  public void flush() throws IOException {
    await();
    IOException early = failure.get();
    if (early != null) {
      throw early;
    }
    file.flush();
  }

  private void await() {
    Thread last;
    lock.lock();
    try {
      last = running;
    } finally {
      lock.unlock();
    }
    boolean interrupted = false;
    while (last != null && last.isAlive()) {
      try {
        last.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    await();
  }
}
