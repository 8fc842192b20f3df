package dev.cowbell.storage.directory;

import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreUnavailableException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One change at a time to a directory's objects, among threads and processes. Held only to compare
 * a version and rename a file, so waiting for it is short.
 *
 * <p>The kernel gives the file lock back when its holder dies. It belongs to the process, and any
 * close of the file in that process drops it: hence the lock among our own threads around it, under
 * which alone the file is open.
 */
final class CommitLock {

  private static final ConcurrentHashMap<Path, ReentrantLock> AMONG_THREADS =
      new ConcurrentHashMap<>();
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Path file;
  private final ReentrantLock amongThreads;

  CommitLock(Path file) {
    this.file = file;
    this.amongThreads = AMONG_THREADS.computeIfAbsent(file, _ -> new ReentrantLock(true));
  }

  /** What is done while the lock is held. */
  @FunctionalInterface
  interface Change<T> {
    T make() throws IOException;
  }

  <T> T during(Change<T> change) throws IOException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    try {
      if (!amongThreads.tryLock(PATIENCE.toNanos(), TimeUnit.NANOSECONDS)) {
        throw busy();
      }
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
    try (FileChannel channel =
            FileChannel.open(
                file,
                StandardOpenOption.WRITE,
                StandardOpenOption.CREATE,
                LinkOption.NOFOLLOW_LINKS);
        FileLock _ = lock(channel, deadline)) {
      return change.make();
    } finally {
      amongThreads.unlock();
    }
  }

  private FileLock lock(FileChannel channel, long deadline) throws IOException {
    for (long pause = 1; ; pause = Math.min(2 * pause, 20)) {
      FileLock lock = channel.tryLock();
      if (lock != null) {
        return lock;
      }
      if (System.nanoTime() - deadline > 0) {
        throw busy();
      }
      try {
        Thread.sleep(pause);
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }
  }

  private StoreUnavailableException busy() {
    return new StoreUnavailableException(
        "another process has held " + file + " for " + PATIENCE.toSeconds() + " s");
  }

  private StoreException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new StoreException("interrupted while waiting for " + file, e);
  }
}
