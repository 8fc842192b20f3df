package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.Extent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Reads a chain from end to end, as fast as source, processors and sink allow: large reads, many at
 * once, on virtual threads; unpacking and handing on in a fixed number of platform threads. Memory
 * is bounded by {@code reads} buffers of 4 MiB (more with 2 MiB clusters).
 */
public final class ChainReader {
  private static final int SPAN = 4 << 20;

  private final OverlayChain chain;
  private final int threads;
  private final int reads;

  /**
   * @param threads how many unpack at once
   * @param reads how many reads are under way or wait to be unpacked
   */
  public ChainReader(OverlayChain chain, int threads, int reads) {
    this.chain = chain;
    this.threads = threads;
    this.reads = reads;
  }

  /**
   * Hands the content of the whole disk to a sink. Returns when all of it has arrived.
   *
   * @throws IOException the first trouble of source, chain or sink; nothing arrives afterwards
   */
  public void readAll(ChainSink sink) throws IOException {
    try (Run run = new Run(sink)) {
      long at = 0;
      while (at < chain.size()) {
        long next = chain.nextMentioned(at);
        if (next > at) {
          sink.zeroes(at, next - at);
          at = next;
        }
        if (at < chain.size()) {
          ChainWindow window = chain.resolve(at, chain.maxWindow());
          run.read(window);
          at = window.end();
        }
      }
      run.finish();
    }
  }

  /** One pass over the chain: its threads, its buffers, and the first failure. */
  private final class Run implements AutoCloseable {
    private final ChainSink sink;
    private final Semaphore room = new Semaphore(reads);
    private final ConcurrentLinkedQueue<ByteBuffer> buffers = new ConcurrentLinkedQueue<>();
    private final BlockingQueue<FrameDecoder> decoders = new ArrayBlockingQueue<>(threads);
    private final List<FrameDecoder> made = new ArrayList<>();
    private final ExecutorService unpacking =
        Executors.newFixedThreadPool(
            threads, Thread.ofPlatform().daemon().name("unpack-", 0).factory());
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    Run(ChainSink sink) {
      this.sink = sink;
      for (int i = 0; i < threads; i++) {
        FrameDecoder decoder = new FrameDecoder(chain.largestClusterSize());
        made.add(decoder);
        decoders.add(decoder);
      }
    }

    void read(ChainWindow window) throws IOException {
      window.forEachRun((at, length, status) -> {
        if (status != Extent.Status.DATA) {
          sink.zeroes(at, length);
        }
      });
      window.forEachBatch(window.start(), window.end(), SPAN, this::start);
    }

    private void start(FrameBatch batch) throws IOException {
      room.acquireUninterruptibly();
      if (failure.get() != null) {
        room.release();
        rethrow();
      }
      Thread.ofVirtual().name("read-overlay").start(() -> fetch(batch));
    }

    private void fetch(FrameBatch batch) {
      boolean handedOn = false;
      try {
        ByteBuffer idle = buffers.poll();
        ByteBuffer packed =
            idle == null || idle.capacity() < batch.span()
                ? ByteBuffer.allocateDirect(Math.max(SPAN, batch.span()))
                : idle;
        batch.read(packed);
        unpacking.execute(() -> unpack(batch, packed));
        handedOn = true;
      } catch (Throwable e) {
        failure.compareAndSet(null, e);
      } finally {
        if (!handedOn) {
          room.release();
        }
      }
    }

    private void unpack(FrameBatch batch, ByteBuffer packed) {
      FrameDecoder decoder = decoders.remove(); // as many as threads, so there is one
      try {
        if (failure.get() == null) {
          decoder.decode(batch, packed, sink);
        }
      } catch (Throwable e) {
        failure.compareAndSet(null, e);
      } finally {
        decoders.add(decoder);
        buffers.add(packed);
        room.release();
      }
    }

    void finish() throws IOException {
      room.acquireUninterruptibly(reads);
      room.release(reads);
      rethrow();
    }

    private void rethrow() throws IOException {
      Throwable e = failure.get();
      switch (e) {
        case null -> {}
        case IOException io -> throw io;
        case UncheckedIOException io -> throw io.getCause();
        case RuntimeException other -> throw other;
        case Error other -> throw other;
        default -> throw new IOException(e.getMessage(), e);
      }
    }

    @Override
    public void close() {
      failure.compareAndSet(null, new IOException("stopped"));
      room.acquireUninterruptibly(reads); // nobody touches a buffer or decoder any more
      unpacking.close();
      made.forEach(FrameDecoder::close);
    }
  }
}
