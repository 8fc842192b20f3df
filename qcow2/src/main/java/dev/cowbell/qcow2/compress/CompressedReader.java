package dev.cowbell.qcow2.compress;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.map.MapCursor;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Reads runs of compressed clusters: those that lie close to each other in the host file with one
 * read. Keeps its buffers; for one thread at a time.
 */
final class CompressedReader implements Closeable {
  /** The most host bytes that are read together for several clusters. */
  private static final int MAX_SPAN = 1 << 20;

  private static final int MAX_CLUSTERS = 256;

  private final int clusterSize;
  private final Decompressor decompressor;
  private final ByteBuffer cluster;
  private ByteBuffer packed;

  private final long[] hostOffset = new long[MAX_CLUSTERS];
  private final int[] packedLength = new int[MAX_CLUSTERS];
  private final int[] skipped = new int[MAX_CLUSTERS];
  private final int[] wanted = new int[MAX_CLUSTERS];
  private int count;
  private long spanStart;
  private long spanEnd;

  CompressedReader(int clusterSize, Decompressor decompressor) {
    this.clusterSize = clusterSize;
    this.decompressor = decompressor;
    this.cluster = ByteBuffer.allocateDirect(clusterSize);
    this.packed = ByteBuffer.allocateDirect(clusterSize);
  }

  /**
   * Reads the compressed runs from the cursor's present one on, as many as go together, into a
   * buffer's next bytes.
   *
   * @return whether the cursor stands at a run that was not read
   */
  boolean read(MapCursor cursor, HostFile file, ByteBuffer dst) throws IOException {
    count = 0;
    spanStart = Long.MAX_VALUE;
    spanEnd = 0;
    boolean more = true;
    while (more && cursor.kind() == MapCursor.Kind.COMPRESSED && goesTogether(cursor)) {
      add(cursor);
      more = cursor.next();
    }
    fetch(file);
    for (int i = 0; i < count; i++) {
      unpack(i, dst);
    }
    return more;
  }

  private boolean goesTogether(MapCursor cursor) {
    long start = Math.min(spanStart, cursor.hostOffset());
    long end = Math.max(spanEnd, cursor.hostOffset() + cursor.packedLength());
    return count == 0 || (count < MAX_CLUSTERS && end - start <= MAX_SPAN);
  }

  private void add(MapCursor cursor) {
    spanStart = Math.min(spanStart, cursor.hostOffset());
    spanEnd = Math.max(spanEnd, cursor.hostOffset() + cursor.packedLength());
    hostOffset[count] = cursor.hostOffset();
    packedLength[count] = cursor.packedLength();
    skipped[count] = (int) (cursor.offset() & (clusterSize - 1));
    wanted[count] = (int) cursor.length();
    count++;
  }

  private void fetch(HostFile file) throws IOException {
    int length = (int) (spanEnd - spanStart);
    if (packed.capacity() < length) {
      packed = ByteBuffer.allocateDirect(Integer.highestOneBit(length - 1) * 2);
    }
    packed.clear().limit(length);
    file.readPadded(spanStart, packed);
  }

  private void unpack(int i, ByteBuffer dst) throws CorruptImageException {
    int at = (int) (hostOffset[i] - spanStart);
    packed.limit(at + packedLength[i]).position(at);
    boolean whole = wanted[i] == clusterSize;
    int limit = dst.limit();
    ByteBuffer target = whole ? dst : cluster.clear();
    if (whole) {
      dst.limit(dst.position() + clusterSize);
    }
    try {
      decompressor.decompress(packed, target);
    } catch (CorruptImageException e) {
      throw new CorruptImageException(
          "the compressed cluster at host offset %d: %s".formatted(hostOffset[i], e.getMessage()),
          e.getCause());
    } finally {
      dst.limit(limit);
    }
    if (!whole) {
      dst.put(cluster.limit(skipped[i] + wanted[i]).position(skipped[i]));
    }
  }

  @Override
  public void close() {
    decompressor.close();
  }
}
