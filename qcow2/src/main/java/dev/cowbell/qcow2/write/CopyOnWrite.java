package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.io.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes guest data to a place together with what the guest sees around it, so that whole
 * subclusters are filled. For one thread at a time.
 */
final class CopyOnWrite {
  private static final int SCRATCH = 1 << 20;

  private final ClusterStore store;
  private final GuestReader reader;
  private final long diskSize;
  private final ByteBuffer scratch = ByteBuffer.allocateDirect(SCRATCH);

  /**
   * @param reader what the guest sees before the change
   */
  CopyOnWrite(ClusterStore store, GuestReader reader, long diskSize) {
    this.store = store;
    this.reader = reader;
    this.diskSize = diskSize;
  }

  /**
   * Writes new bytes, and old ones in front of and behind them.
   *
   * @param from where the old bytes in front start on the guest's disk
   * @param at where the new ones go
   * @param src the new bytes; untouched but for its position
   * @param to where the old bytes behind end; they end at the disk's end, and zeroes follow
   * @param host where {@code from} goes in the file
   */
  void write(long from, long at, ByteBuffer src, long to, long host) throws IOException {
    if (to - from <= SCRATCH && to - from > src.remaining()) {
      scratch.clear();
      readOld(from, (int) (at - from));
      long end = at + src.remaining();
      scratch.put(src);
      readOld(end, (int) (to - end));
      store.write(from, host, scratch.flip());
      return;
    }
    int unit = store.granularity();
    long end = at + src.remaining();
    long wholeTo = end / unit * unit;
    long next = at;
    copy(from, at / unit * unit, host);
    if (next % unit != 0) {
      next = Math.min(end, Math.ceilDiv(at, unit) * unit);
      sector(from, at, src, (int) (next - at), host);
    }
    if (next < wholeTo) {
      store.write(next, host + (next - from), take(src, (int) (wholeTo - next)));
      next = wholeTo;
    }
    if (next < end) {
      sector(from, next, src, (int) (end - next), host);
    }
    long after = Math.ceilDiv(end, unit) * unit;
    copy(after, to, host + (after - from));
  }

  /** Writes new bytes that are part of one unit only, with the rest of it. */
  private void sector(long from, long at, ByteBuffer src, int length, long host)
      throws IOException {
    int unit = store.granularity();
    long start = at / unit * unit;
    write(start, at, take(src, length), start + unit, host + (start - from));
  }

  private static ByteBuffer take(ByteBuffer src, int length) {
    ByteBuffer part = src.slice(src.position(), length);
    src.position(src.position() + length);
    return part;
  }

  /** Writes old bytes alone. */
  void copy(long from, long to, long host) throws IOException {
    for (long at = from; at < to; at += SCRATCH) {
      scratch.clear();
      readOld(at, (int) Math.min(SCRATCH, to - at));
      store.write(at, host + (at - from), scratch.flip());
    }
  }

  private void readOld(long at, int length) throws IOException {
    int inside = Math.clamp(diskSize - at, 0, length);
    if (inside > 0) {
      scratch.limit(scratch.position() + inside);
      reader.read(at, scratch);
      scratch.limit(scratch.capacity());
    }
    Zeroes.fill(scratch, length - inside);
  }
}
