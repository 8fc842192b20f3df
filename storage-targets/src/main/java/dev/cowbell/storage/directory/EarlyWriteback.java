package dev.cowbell.storage.directory;

import java.io.IOException;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/**
 * Has a growing file written to its disk while it still grows, so that the sync before it is
 * published finds little left to do. For one thread at a time.
 */
final class EarlyWriteback {

  /** Large enough that the disk sees long runs, small enough that little waits at the end. */
  private static final long STEP = 32L << 20;

  private final FileChannel channel;
  private long begun;
  private @Nullable Thread running;
  private volatile @Nullable IOException failure;

  EarlyWriteback(FileChannel channel) {
    this.channel = channel;
  }

  /** The file is so long now. Never waits. */
  void grownTo(long length) {
    if (length - begun < STEP || (running != null && running.isAlive())) {
      return;
    }
    begun = length;
    running = Thread.ofPlatform().daemon().name("write-back").start(this::force);
  }

  private void force() {
    try {
      channel.force(false);
    } catch (IOException e) {
      failure = e;
    }
  }

  /**
   * Waits for what is under way.
   *
   * @throws IOException if a write-back failed: the kernel reports that once, so a later sync of
   *     the same file would succeed although bytes are lost
   */
  void finish() throws IOException {
    Thread last = running;
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
    IOException e = failure;
    if (e != null) {
      throw e;
    }
  }
}
