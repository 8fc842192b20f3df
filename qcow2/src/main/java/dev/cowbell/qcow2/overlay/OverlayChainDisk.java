package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * A chain of overlays as a disk that can be read at any place, straight from where it is stored.
 */
public final class OverlayChainDisk implements GuestDisk {
  private static final int SPAN = 4 << 20;

  private final OverlayChain chain;
  private final ConcurrentLinkedQueue<FrameDecoder> decoders = new ConcurrentLinkedQueue<>();

  /**
   * @param chain stays open when the disk is closed
   */
  public OverlayChainDisk(OverlayChain chain) {
    this.chain = chain;
  }

  @Override
  public long size() {
    return chain.size();
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    Objects.checkFromIndexSize(at, (long) dst.remaining(), size());
    long end = at + dst.remaining();
    MemorySegment.ofBuffer(dst).fill((byte) 0);
    int base = dst.position();
    long from = at;
    while (from < end) {
      ChainWindow window = windowAt(from, end);
      long to = Math.min(end, window.end());
      read(window, from, to, new Section(at, end, dst, base));
      from = to;
    }
    dst.position(dst.limit());
  }

  private ChainWindow windowAt(long from, long end) throws IOException {
    long start = from & -(long) chain.largestClusterSize();
    long length = Math.min(chain.maxWindow(), roundUp(end) - start);
    return chain.resolve(start, length);
  }

  private long roundUp(long offset) {
    return (offset + chain.largestClusterSize() - 1) & -(long) chain.largestClusterSize();
  }

  private void read(ChainWindow window, long from, long to, ChainSink into) throws IOException {
    FrameDecoder idle = decoders.poll();
    FrameDecoder decoder = idle == null ? new FrameDecoder(chain.largestClusterSize()) : idle;
    try {
      window.forEachBatch(from, to, SPAN, batch -> decoder.readAndDecode(batch, into));
    } finally {
      decoders.add(decoder);
    }
  }

  /** Keeps the wanted part of what arrives; the rest of the buffer is zeroed already. */
  private record Section(long from, long to, ByteBuffer dst, int base) implements ChainSink {
    @Override
    public void data(long at, ByteBuffer bytes) {
      long start = Math.max(at, from);
      long end = Math.min(at + bytes.remaining(), to);
      if (start < end) {
        dst.put(
            base + (int) (start - from),
            bytes,
            bytes.position() + (int) (start - at),
            (int) (end - start));
      }
    }

    @Override
    public void zeroes(long at, long length) {}
  }

  @Override
  public List<Extent> extents(long at, long length) throws IOException {
    Objects.checkFromIndexSize(at, length, size());
    List<Extent> extents = new ArrayList<>();
    long from = at;
    while (from < at + length) {
      long next = Math.min(Math.max(from, chain.nextMentioned(from)), at + length);
      if (next > from) {
        add(extents, from, next - from, Extent.Status.UNALLOCATED);
        from = next;
        continue;
      }
      long start = from;
      ChainWindow window = windowAt(start, at + length);
      window.forEachRun((runAt, runLength, status) -> {
        long first = Math.max(runAt, start);
        long end = Math.min(runAt + runLength, at + length);
        if (first < end) {
          add(extents, first, end - first, status);
        }
      });
      from = Math.min(window.end(), at + length);
    }
    return extents;
  }

  private static void add(List<Extent> extents, long at, long length, Extent.Status status) {
    Extent last = extents.isEmpty() ? null : extents.getLast();
    if (last != null && last.status() == status && last.end() == at) {
      extents.set(extents.size() - 1, new Extent(last.offset(), last.length() + length, status));
    } else {
      extents.add(new Extent(at, length, status));
    }
  }

  @Override
  public void close() {
    for (FrameDecoder d = decoders.poll(); d != null; d = decoders.poll()) {
      d.close();
    }
  }
}
