package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.compress.FrameCodec;
import dev.cowbell.qcow2.compress.ZstdFrame;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Unpacks batches of frames and hands on what is wanted of them, joined to long runs. Holds native
 * memory; for one thread at a time.
 */
final class FrameDecoder implements Closeable {
  private static final int RUN = 1 << 20;

  private final FrameCodec codec = new FrameCodec();
  private final ByteBuffer cluster;
  private final ByteBuffer run;
  private ByteBuffer packed = ByteBuffer.allocateDirect(0);
  private long runStart;

  FrameDecoder(int largestClusterSize) {
    cluster = ByteBuffer.allocateDirect(largestClusterSize);
    run = ByteBuffer.allocateDirect(Math.max(RUN, largestClusterSize));
  }

  /** Reads a batch into a buffer of its own, and decodes it. */
  void readAndDecode(FrameBatch batch, ChainSink sink) throws IOException {
    if (packed.capacity() < batch.span()) {
      packed = ByteBuffer.allocateDirect(Math.max(batch.span(), 2 * packed.capacity()));
    }
    batch.read(packed);
    decode(batch, packed, sink);
  }

  /**
   * @param packed what {@link FrameBatch#read} read
   */
  void decode(FrameBatch batch, ByteBuffer packed, ChainSink sink) throws IOException {
    Geometry geometry = batch.tables().geometry();
    run.clear();
    for (int i = 0; i < batch.count(); i++) {
      decode(batch, batch.cluster(i), geometry, packed, sink);
    }
    handOn(sink);
  }

  private void decode(
      FrameBatch batch, long index, Geometry geometry, ByteBuffer packed, ChainSink sink)
      throws IOException {
    ChainWindow window = batch.window();
    int size = geometry.clusterSize();
    long start = window.start() + (index << geometry.clusterBits());
    long end = Math.min(start + size, window.end());
    long word = window.word(batch.overlay(), index);
    long frame = CompressedDescriptor.hostOffset(word, geometry);
    int at = (int) (frame - batch.hostStart());
    int limit = at + CompressedDescriptor.length(word, geometry);

    long visibleEnd = window.chain().visibleEnd(batch.overlay());
    boolean whole =
        end - start == size
            && end <= visibleEnd
            && window.owns(batch.overlay(), start)
            && window.ownedUntil(start, end) == end;
    if (whole) {
      makeRoom(start, size, sink);
    }
    int filled = run.position();
    ByteBuffer target = whole ? run.limit(filled + size) : cluster.clear().limit(size);
    try {
      int length = ZstdFrame.length(packed, at, limit, size);
      codec.decompress(packed, at, length, target, target.position(), size);
    } catch (CorruptImageException e) {
      run.limit(run.capacity()).position(filled);
      sink.damaged(
          new DamagedClusterException(batch.tables().name(), start, end - start, frame, e));
      return;
    }
    if (whole) {
      run.limit(run.capacity()).position(filled + size);
    } else {
      blank(start, visibleEnd, size);
      addPieces(batch, start, end, sink);
    }
  }

  /** The overlay's disk ends inside the cluster: what follows reads as zeroes. */
  private void blank(long start, long visibleEnd, int size) {
    for (long i = Math.max(0, visibleEnd - start); i < size; i++) {
      cluster.put((int) i, (byte) 0);
    }
  }

  private void addPieces(FrameBatch batch, long start, long end, ChainSink sink)
      throws IOException {
    ChainWindow window = batch.window();
    long at = start;
    while (at < end) {
      long until = window.ownedUntil(at, end);
      if (window.owns(batch.overlay(), at)) {
        makeRoom(at, (int) (until - at), sink);
        run.put(cluster.clear().limit((int) (until - start)).position((int) (at - start)));
      }
      at = until;
    }
  }

  /** Sees to it that the run goes on at a guest offset, with room for so many bytes. */
  private void makeRoom(long at, int length, ChainSink sink) throws IOException {
    if (runStart + run.position() != at || run.remaining() < length) {
      handOn(sink);
    }
    if (run.position() == 0) {
      runStart = at;
    }
  }

  private void handOn(ChainSink sink) throws IOException {
    if (run.position() > 0) {
      sink.data(runStart, run.flip());
    }
    run.clear();
  }

  @Override
  public void close() {
    codec.close();
  }
}
