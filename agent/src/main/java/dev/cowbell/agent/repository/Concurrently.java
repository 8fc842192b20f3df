package dev.cowbell.agent.repository;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Does the same I/O for many things, a bounded number of them at a time. */
public final class Concurrently {

  /** I/O for one thing. */
  @FunctionalInterface
  public interface IoFunction<A, R> {
    R apply(A of) throws IOException;
  }

  private Concurrently() {}

  /**
   * The results in the order of {@code all}. After a failure nothing more is begun; it is thrown
   * when what had begun has ended.
   *
   * @param width how many at a time, 1 or more
   */
  public static <A, R> List<R> map(List<A> all, int width, IoFunction<A, R> function)
      throws IOException {
    Semaphore slots = new Semaphore(width);
    List<Future<R>> futures = new ArrayList<>(all.size());
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (A one : all) {
        slots.acquireUninterruptibly();
        futures.add(
            threads.submit(() -> {
              try {
                if (failure.get() != null) {
                  throw new CancellationException();
                }
                return function.apply(one);
              } catch (Throwable e) {
                failure.compareAndSet(null, e);
                throw e;
              } finally {
                slots.release();
              }
            }));
      }
    }
    rethrow(failure.get());
    return futures.stream().map(Future::resultNow).toList();
  }

  private static void rethrow(@Nullable Throwable failure) throws IOException {
    switch (failure) {
      case null -> {}
      case IOException io -> throw io;
      case RuntimeException runtime -> throw runtime;
      case Error error -> throw error;
      default -> throw new IOException(failure);
    }
  }
}
