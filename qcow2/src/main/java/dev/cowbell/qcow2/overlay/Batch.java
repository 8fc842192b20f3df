package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.FrameCodec;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A stretch of an overlay's content on its way from the source to the sink: some runs of clusters,
 * the bytes of those that hold data, and their frames one behind the other. Used over and over; by
 * one thread at a time.
 */
final class Batch {
  private static final int MAX_RUNS = 256;
  private static final MemorySegment ZEROES =
      MemorySegment.ofArray(new byte[OverlaySpec.MAX_CLUSTER]);

  private final OverlaySpec spec;
  private final int maxClusters;
  private final ByteBuffer content;
  private final MemorySegment contentSegment;
  private final ByteBuffer frames;

  private final long[] runStart = new long[MAX_RUNS];
  private final long[] runLength = new long[MAX_RUNS];
  private final boolean[] runZero = new boolean[MAX_RUNS];
  private final int[] frameLength;
  private final int unit;
  private final byte[] digests;
  private final ByteBuffer unitContent;
  private final ContentDigest digest;
  private long sequence;
  private int runs;
  private int clusters;
  private long bytesRead;

  /**
   * A batch for so many data clusters.
   *
   * @param digested whether digests of their content are wanted
   */
  Batch(OverlaySpec spec, int maxClusters, boolean digested, NativeBuffers buffers) {
    this.spec = spec;
    this.maxClusters = maxClusters;
    content = buffers.allocate(maxClusters * spec.clusterSize());
    contentSegment = MemorySegment.ofBuffer(content);
    frames = buffers.allocate(maxClusters * FrameCodec.maxFrameLength(spec.clusterSize()));
    frameLength = new int[maxClusters];
    unit = ContentDigest.unitFor(spec.clusterSize());
    digest = new ContentDigest(spec.identity().repository());
    unitContent = content.duplicate();
    digests =
        new byte[digested ? maxClusters * (spec.clusterSize() / unit) * ContentDigest.LENGTH : 0];
  }

  void reset(long newSequence) {
    sequence = newSequence;
    runs = 0;
    clusters = 0;
    bytesRead = 0;
  }

  long sequence() {
    return sequence;
  }

  boolean isEmpty() {
    return runs == 0;
  }

  /** Whether no further data run fits. */
  boolean isFull() {
    return runs == MAX_RUNS || clusters == maxClusters;
  }

  /**
   * Adds as much of a run as fits.
   *
   * @return the clusters taken, from the run's first one on; at least one unless {@link #isFull()}
   */
  long add(long start, long length, boolean zero) {
    long taken = zero ? length : Math.min(length, maxClusters - clusters);
    runStart[runs] = start;
    runLength[runs] = taken;
    runZero[runs] = zero;
    runs++;
    clusters += zero ? 0 : (int) taken;
    return taken;
  }

  /** Reads the data runs, each with one read. What lies behind the disk's end becomes zero. */
  void read(GuestDisk source) throws IOException {
    int clusterBits = spec.geometry().clusterBits();
    int at = 0;
    for (int i = 0; i < runs; i++) {
      if (runZero[i]) {
        continue;
      }
      long offset = runStart[i] << clusterBits;
      int length = (int) runLength[i] << clusterBits;
      int inside = (int) Math.min(length, spec.diskSize() - offset);
      source.read(offset, content.slice(at, inside));
      contentSegment.asSlice((long) at + inside, length - inside).fill((byte) 0);
      bytesRead += inside;
      at += length;
    }
  }

  /** Packs and digests every data cluster that is not all zeroes. */
  void compress(FrameCodec codec) {
    codec.level(spec.level());
    int clusterSize = spec.clusterSize();
    int cluster = 0;
    int at = 0;
    for (int run = 0; run < runs; run++) {
      for (long i = 0; !runZero[run] && i < runLength[run]; i++) {
        int clusterAt = cluster * clusterSize;
        boolean zero = isZero(clusterAt, clusterSize);
        frameLength[cluster] =
            zero ? 0 : codec.compress(content, clusterAt, clusterSize, frames, at);
        at += frameLength[cluster];
        if (!zero && digests.length > 0) {
          digest((runStart[run] + i) * clusterSize, clusterAt);
        }
        cluster++;
      }
    }
  }

  private void digest(long offset, int from) {
    for (int i = 0; i < spec.clusterSize(); i += unit) {
      int at = from + i;
      digest.digest(
          offset + i,
          unitContent.limit(at + unit).position(at),
          digests,
          at / unit * ContentDigest.LENGTH);
    }
  }

  /** A view of the digests of some data clusters, of those that have a frame. */
  ByteBuffer digests(int dataCluster, int count) {
    int bytes = spec.clusterSize() / unit * ContentDigest.LENGTH;
    return ByteBuffer.wrap(digests, dataCluster * bytes, count * bytes);
  }

  private boolean isZero(int at, int length) {
    return MemorySegment.mismatch(contentSegment, at, at + length, ZEROES, 0, length) < 0;
  }

  int runs() {
    return runs;
  }

  /** The first cluster of a run. */
  long runStart(int run) {
    return runStart[run];
  }

  /** The clusters of a run. */
  long runLength(int run) {
    return runLength[run];
  }

  /** Whether a run is zero without having been read. */
  boolean runZero(int run) {
    return runZero[run];
  }

  /** The length of the frame of the data cluster of an index; 0 if it is all zeroes. */
  int frameLength(int dataCluster) {
    return frameLength[dataCluster];
  }

  /** A view of the frames. */
  ByteBuffer frames(int from, int end) {
    return frames.slice(from, end - from);
  }

  long bytesRead() {
    return bytesRead;
  }

  /** The guest bytes of all runs. */
  long guestBytes() {
    long total = 0;
    for (int i = 0; i < runs; i++) {
      total += runLength[i] << spec.geometry().clusterBits();
    }
    return total;
  }
}
