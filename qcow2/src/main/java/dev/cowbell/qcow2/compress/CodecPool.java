package dev.cowbell.qcow2.compress;

import java.io.Closeable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A fixed number of platform threads that pack and unpack clusters, each with a {@link FrameCodec}
 * at hand. One pool serves a whole process; what is handed in should be worth some milliseconds and
 * must not wait for other tasks of the pool.
 */
public final class CodecPool implements Closeable {

  /** A piece of work. It has to report its own failures. */
  @FunctionalInterface
  public interface Task {
    void run(FrameCodec codec);
  }

  private final int threadCount;
  private final ExecutorService threads;
  private final ConcurrentLinkedQueue<FrameCodec> idle = new ConcurrentLinkedQueue<>();

  /** Makes a pool of so many threads. */
  public CodecPool(int threadCount) {
    this.threadCount = threadCount;
    threads =
        Executors.newFixedThreadPool(
            threadCount, Thread.ofPlatform().name("codec-", 0).daemon().factory());
  }

  /** Makes a pool with a thread per core. */
  public static CodecPool ofAllCores() {
    return new CodecPool(Runtime.getRuntime().availableProcessors());
  }

  public int threadCount() {
    return threadCount;
  }

  /** Has a task run by the next thread that is free. */
  public void submit(Task task) {
    threads.execute(() -> run(task));
  }

  private void run(Task task) {
    FrameCodec pooled = idle.poll();
    FrameCodec codec = pooled != null ? pooled : new FrameCodec();
    try {
      task.run(codec);
    } finally {
      idle.add(codec);
    }
  }

  /** Returns when everything submitted before has run. */
  @Override
  public void close() {
    threads.close();
    idle.forEach(FrameCodec::close);
    idle.clear();
  }
}
