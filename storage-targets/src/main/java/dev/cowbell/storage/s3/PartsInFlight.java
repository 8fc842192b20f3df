package dev.cowbell.storage.s3;

import dev.cowbell.storage.StoreException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Sends parts side by side, a few at a time, and remembers the first failure. */
final class PartsInFlight implements AutoCloseable {

  private static final int AT_ONCE = 8;
  private static final Duration TO_LET_GO = Duration.ofSeconds(30);

  private final Semaphore turns = new Semaphore(AT_ONCE);
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final AtomicReference<@Nullable IOException> failure = new AtomicReference<>();

  /** Sends one part. */
  @FunctionalInterface
  interface Sending {
    void run() throws IOException;
  }

  /** Starts to send a part, waiting for others if too many are under way. */
  void start(Sending sending) throws InterruptedException {
    turns.acquire();
    threads.execute(() -> {
      try {
        sending.run();
      } catch (IOException e) {
        failure.compareAndSet(null, e);
      } catch (RuntimeException | Error e) {
        failure.compareAndSet(null, new StoreException("sending a part failed: " + e, e));
      } finally {
        turns.release();
      }
    });
  }

  /** Throws the first failure there was. */
  void throwFailure() throws IOException {
    IOException first = failure.get();
    if (first != null) {
      throw first;
    }
  }

  /** Waits for all parts. */
  void await() throws IOException, InterruptedException {
    turns.acquire(AT_ONCE);
    turns.release(AT_ONCE);
    throwFailure();
  }

  /** Ends what is under way. */
  void cancel() {
    threads.shutdownNow();
    try {
      var _ = threads.awaitTermination(TO_LET_GO.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
