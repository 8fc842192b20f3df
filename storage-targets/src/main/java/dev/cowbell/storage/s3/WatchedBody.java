package dev.cowbell.storage.s3;

import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreUnavailableException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import software.amazon.awssdk.core.sync.RequestBody;

/**
 * A request's body that knows when it was last read from. Sockets have no timeout for writing, so a
 * server that stops reading would hold us for as long as TCP has patience; here the thread that
 * writes is interrupted.
 */
final class WatchedBody {

  private static final Duration TO_LET_GO = Duration.ofSeconds(10);

  private final Supplier<InputStream> content;
  private final long length;
  private volatile long lastRead = System.nanoTime();

  /**
   * @param content gives the bytes from the start, each time it is asked
   */
  WatchedBody(Supplier<InputStream> content, long length) {
    this.content = content;
    this.length = length;
  }

  long length() {
    return length;
  }

  RequestBody forRequest() {
    return RequestBody.fromContentProvider(
        () -> new Watched(content.get()), length, "application/octet-stream");
  }

  /** Runs an exchange that sends this body. */
  <T> T whileSending(Duration stall, Supplier<T> exchange) throws IOException {
    FutureTask<T> task = new FutureTask<>(exchange::get);
    // A thread of its own, so that an interrupt can't hit what comes after the exchange. A virtual
    // one, since an interrupt gets those out of a blocked write.
    Thread thread = Thread.ofVirtual().name("s3-sender").start(task);
    try {
      return await(task, thread, stall);
    } catch (InterruptedException e) {
      thread.interrupt();
      Thread.currentThread().interrupt();
      throw new StoreException("interrupted while sending", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  private <T> T await(FutureTask<T> task, Thread thread, Duration stall)
      throws InterruptedException, ExecutionException, StoreUnavailableException {
    // While the server composes its answer nothing is read either; the socket limits that time.
    long patience = 2 * stall.toNanos();
    while (true) {
      try {
        return task.get(Math.max(patience / 8, 1), TimeUnit.NANOSECONDS);
      } catch (TimeoutException e) {
        if (System.nanoTime() - lastRead > patience) {
          thread.interrupt();
          break;
        }
      }
    }
    try {
      return task.get(TO_LET_GO.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException | ExecutionException e) {
      throw new StoreUnavailableException(
          "the server has taken no bytes for " + patience / 1_000_000_000 + " s", e);
    }
  }

  private final class Watched extends FilterInputStream {

    Watched(InputStream in) {
      super(in);
    }

    @Override
    public int read() throws IOException {
      lastRead = System.nanoTime();
      return super.read();
    }

    @Override
    public int read(byte[] b, int off, int len) throws IOException {
      lastRead = System.nanoTime();
      return super.read(b, off, len);
    }
  }
}
