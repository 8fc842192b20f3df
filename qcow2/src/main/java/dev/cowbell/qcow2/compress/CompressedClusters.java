package dev.cowbell.qcow2.compress;

import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.map.MapCursor;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The compressed clusters of one image file, for many threads: each read borrows buffers and a
 * codec context from a pool.
 */
public final class CompressedClusters implements Closeable {
  private final HostFile file;
  private final CompressionType type;
  private final int clusterSize;
  private final ReentrantLock lock = new ReentrantLock();
  private final ArrayDeque<CompressedReader> idle = new ArrayDeque<>();
  private final int maxIdle = 2 * Runtime.getRuntime().availableProcessors();
  private boolean closed;

  public CompressedClusters(HostFile file, CompressionType type, int clusterSize) {
    this.file = file;
    this.type = type;
    this.clusterSize = clusterSize;
  }

  /**
   * Reads the compressed runs from the cursor's present one on, as many as go together, into a
   * buffer's next bytes. Direct buffers spare a copy.
   *
   * @return whether the cursor stands at a run that was not read
   */
  public boolean read(MapCursor cursor, ByteBuffer dst) throws IOException {
    CompressedReader pooled = borrow();
    CompressedReader reader =
        pooled == null ? new CompressedReader(clusterSize, Decompressor.of(type)) : pooled;
    try {
      return reader.read(cursor, file, dst);
    } finally {
      giveBack(reader);
    }
  }

  private @Nullable CompressedReader borrow() {
    lock.lock();
    try {
      return idle.pollLast();
    } finally {
      lock.unlock();
    }
  }

  private void giveBack(CompressedReader reader) {
    lock.lock();
    try {
      if (!closed && idle.size() < maxIdle) {
        idle.addLast(reader);
        return;
      }
    } finally {
      lock.unlock();
    }
    reader.close();
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      idle.forEach(CompressedReader::close);
      idle.clear();
    } finally {
      lock.unlock();
    }
  }
}
