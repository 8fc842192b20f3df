package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.compress.FrameCodec;
import dev.cowbell.qcow2.compress.ZstdFrame;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Reads an overlay's body once, from end to end: digests all of it and unpacks every frame. Some
 * reads are under way ahead of time; memory is bounded by the number of chunks.
 */
final class BodyScan implements Closeable {
  private static final int MAX_CHUNK = 4 << 20;
  private static final int MAX_CHUNKS = 7;
  private static final int READS_AHEAD = 3;
  private static final int TASK_BYTES = 1 << 20;

  private final OverlaySource source;
  private final CodecPool pool;
  private final OverlayMonitor monitor;
  private final DamageList damages;
  private final int clusterSize;
  private final int chunkLength;
  private final int chunks;

  private final NativeBuffers buffers = new NativeBuffers();
  private final BlockingQueue<BodyChunk> free;
  private final ArrayDeque<Future<BodyChunk>> ahead = new ArrayDeque<>();
  private final ExecutorService io = Executors.newVirtualThreadPerTaskExecutor();
  private final ConcurrentLinkedQueue<ByteBuffer> clusters = new ConcurrentLinkedQueue<>();
  private long nextRead;
  private boolean interrupted;

  BodyScan(
      OverlaySource source,
      int clusterSize,
      CodecPool pool,
      OverlayMonitor monitor,
      DamageList damages) {
    this.source = source;
    this.clusterSize = clusterSize;
    this.pool = pool;
    this.monitor = monitor;
    this.damages = damages;
    this.nextRead = clusterSize;
    this.chunkLength = (int) Math.min(MAX_CHUNK, source.size());
    this.chunks = (int) Math.min(MAX_CHUNKS, source.size() / chunkLength + 1);
    this.free = new ArrayBlockingQueue<>(chunks);
    for (int i = 0; i < chunks; i++) {
      free.add(new BodyChunk(chunkLength, 2 * clusterSize, buffers, free));
    }
  }

  /**
   * Scans the body.
   *
   * @param frames in the order in which they lie in the object
   * @return the digest of the body
   */
  Sha256 run(FrameSequence frames) throws IOException {
    MessageDigest digest = Sha256.start();
    boolean more = frames.next();
    BodyChunk before = null;
    try {
      for (BodyChunk chunk = take(); chunk != null; chunk = take()) {
        if (before != null) {
          chunk.continues(before);
          before.release();
        }
        before = chunk;
        monitor.check();
        while (more && frames.hostEnd() <= chunk.end()) {
          chunk.addFrame(frames);
          more = frames.next();
        }
        submit(chunk);
        digest.update(chunk.bytes());
        monitor.advance(chunk.bytes().capacity());
      }
    } finally {
      if (before != null) {
        before.release();
      }
    }
    return Sha256.finish(digest);
  }

  /** The next chunk, with others being read behind it; null behind the last one. */
  private @Nullable BodyChunk take() throws IOException {
    while (nextRead < source.size() && ahead.size() < READS_AHEAD) {
      BodyChunk chunk = ahead.isEmpty() ? takeFree() : free.poll();
      if (chunk == null) {
        break;
      }
      long at = nextRead;
      int length = (int) Math.min(chunkLength, source.size() - at);
      nextRead += length;
      ahead.add(io.submit(() -> chunk.read(source, at, length)));
    }
    return ahead.isEmpty() ? null : result(ahead.poll());
  }

  private BodyChunk takeFree() {
    while (true) {
      try {
        return free.take();
      } catch (InterruptedException e) {
        // Chunks come back in any case, and without them buffers can't be given back safely.
        interrupted = true;
      }
    }
  }

  private BodyChunk result(Future<BodyChunk> read) throws IOException {
    while (true) {
      try {
        return read.get();
      } catch (InterruptedException e) {
        interrupted = true;
      } catch (ExecutionException e) {
        switch (e.getCause()) {
          case IOException io -> throw io;
          case RuntimeException other -> throw other;
          case Error other -> throw other;
          case null, default -> throw new AssertionError(e);
        }
      }
    }
  }

  private void submit(BodyChunk chunk) {
    int perTask = Math.max(1, TASK_BYTES / clusterSize);
    for (int first = 0; first < chunk.frames(); first += perTask) {
      int from = first;
      int end = Math.min(chunk.frames(), first + perTask);
      chunk.hold();
      pool.submit(codec -> check(chunk, from, end, codec));
    }
  }

  private void check(BodyChunk chunk, int from, int end, FrameCodec codec) {
    ByteBuffer idle = clusters.poll();
    ByteBuffer cluster = idle != null ? idle : buffers.allocate(clusterSize);
    try {
      for (int i = from; i < end && !monitor.isCancelled(); i++) {
        check(chunk, i, cluster, codec);
      }
    } finally {
      clusters.add(cluster);
      chunk.release();
    }
  }

  private void check(BodyChunk chunk, int frame, ByteBuffer cluster, FrameCodec codec) {
    int at = chunk.frameAt(frame);
    try {
      int length = ZstdFrame.length(chunk.buffer(), at, chunk.frameLimit(frame), clusterSize);
      codec.decompress(chunk.buffer(), at, length, cluster, 0, clusterSize);
    } catch (CorruptImageException e) {
      damages.add(
          new OverlayDamage.Lost(
              chunk.guestOffset(frame),
              clusterSize,
              "the frame at " + chunk.hostOffset(frame) + ": " + e.getMessage()));
    }
  }

  private void giveUp(Future<BodyChunk> read) {
    try {
      result(read).release();
    } catch (IOException e) {
      // The scan has ended already with a failure of its own; the chunk went home by itself.
    }
  }

  /** Returns when nobody uses the source or the pool for this any more. */
  @Override
  public void close() {
    ahead.forEach(this::giveUp);
    for (int i = 0; i < chunks; i++) {
      takeFree();
    }
    io.close();
    buffers.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
