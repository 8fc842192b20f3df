package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.compress.FrameCodec;
import dev.cowbell.qcow2.compress.ZstdFrame;
import dev.cowbell.qcow2.format.Geometry;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Moves the frames of a merge that the store does not copy through this process: reads those that
 * lie together at once, many at a time, and appends them in guest order. Clusters that no overlay
 * has as a whole are read from the chain and packed. Holds some 12 MiB.
 */
final class MovedFrames implements MergeWalk.Visitor, Closeable {
  private static final int BATCH_BYTES = 4 << 20;
  private static final int BATCH_FRAMES = 4096;
  private static final int PACKED = -1;

  /** A frame on its way; its bytes are there when it was fetched. */
  private static final class Item {
    final long cluster;
    final int overlay;
    final long host;
    final long end;
    ByteBuffer frame = ByteBuffer.allocate(0);

    Item(long cluster, int overlay, long host, long end) {
      this.cluster = cluster;
      this.overlay = overlay;
      this.host = host;
      this.end = end;
    }
  }

  private final OverlayChain merged;
  private final OverlayChainDisk content;
  private final OverlaySpec spec;
  private final Geometry geometry;
  private final CopiedRanges copies;
  private final BodyWriter body;
  private final FrameLengths lengths;
  private final CodecPool pool;
  private final OverlayMonitor monitor;
  private final ExecutorService io = Executors.newVirtualThreadPerTaskExecutor();
  private final List<Item> batch = new ArrayList<>();
  private long batchBytes;

  /**
   * @param whole the chain that packed clusters are read from
   * @param copies what holds the frames that are not to be moved, wherever it puts them
   * @param lengths gets the length of each frame that is appended
   */
  MovedFrames(
      OverlayChain merged,
      OverlayChain whole,
      OverlaySpec spec,
      CopiedRanges copies,
      BodyWriter body,
      FrameLengths lengths,
      CodecPool pool,
      OverlayMonitor monitor) {
    this.merged = merged;
    this.content = new OverlayChainDisk(whole);
    this.spec = spec;
    this.geometry = spec.geometry();
    this.copies = copies;
    this.body = body;
    this.lengths = lengths;
    this.pool = pool;
    this.monitor = monitor;
  }

  @Override
  public void frame(long cluster, int overlay, long host, long end) throws IOException {
    if (copies.placeOf(overlay, host, end) < 0) {
      add(new Item(cluster, overlay, host, end), end - host);
    }
  }

  @Override
  public void zero(long cluster, long count) {}

  @Override
  public void pack(long cluster) throws IOException {
    add(new Item(cluster, PACKED, 0, 0), spec.clusterSize());
  }

  private void add(Item item, long bytes) throws IOException {
    batch.add(item);
    batchBytes += bytes;
    if (batchBytes >= BATCH_BYTES || batch.size() == BATCH_FRAMES) {
      flush();
    }
  }

  /** Appends what waits. */
  void flush() throws IOException {
    monitor.check();
    List<Future<?>> reads = new ArrayList<>();
    reads.addAll(readMoved());
    reads.addAll(readPacked());
    IOException failure = null;
    for (Future<?> read : reads) {
      failure = await(read, failure);
    }
    if (failure != null) {
      throw failure;
    }
    for (Item item : batch) {
      lengths.add(item.frame.remaining());
      body.append(item.frame);
    }
    monitor.advance(batchBytes);
    batch.clear();
    batchBytes = 0;
  }

  /** Waits for a task in any case, since it uses what is closed later. */
  private static @org.jspecify.annotations.Nullable IOException await(
      Future<?> read, @org.jspecify.annotations.Nullable IOException before) throws IOException {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          read.get();
          return before;
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (ExecutionException e) {
          IOException mine =
              e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
          return before == null ? mine : before;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private List<Future<?>> readMoved() {
    List<Item> moved = new ArrayList<>(batch.stream().filter(i -> i.overlay != PACKED).toList());
    moved.sort(Comparator.<Item>comparingInt(i -> i.overlay).thenComparingLong(i -> i.host));
    List<Future<?>> reads = new ArrayList<>();
    int first = 0;
    while (first < moved.size()) {
      int last = first + 1;
      long end = moved.get(first).end;
      while (last < moved.size()
          && moved.get(last).overlay == moved.get(first).overlay
          && moved.get(last).host - end <= FrameBatch.MAX_GAP
          && moved.get(last).end - moved.get(first).host <= BATCH_BYTES) {
        end = Math.max(end, moved.get(last).end);
        last++;
      }
      List<Item> together = List.copyOf(moved.subList(first, last));
      long until = end;
      reads.add(
          io.submit(() -> {
            fetch(together, until);
            return 0;
          }));
      first = last;
    }
    return reads;
  }

  private void fetch(List<Item> together, long end) throws IOException {
    OverlaySource source = merged.overlays().get(together.getFirst().overlay).source();
    long start = together.getFirst().host;
    ByteBuffer read = ByteBuffer.allocate((int) (end - start));
    source.read(start, read);
    for (Item item : together) {
      int at = (int) (item.host - start);
      try {
        int length = ZstdFrame.length(read, at, (int) (item.end - start), geometry.clusterSize());
        item.frame = read.slice(at, length);
      } catch (CorruptImageException e) {
        long guest = item.cluster << geometry.clusterBits();
        throw new DamagedClusterException(
            source.name(), guest, geometry.clusterSize(), item.host, e);
      }
    }
  }

  private List<Future<?>> readPacked() {
    List<Item> packed = batch.stream().filter(i -> i.overlay == PACKED).toList();
    List<Future<?>> tasks = new ArrayList<>();
    int most = Math.max(1, (1 << 20) / spec.clusterSize());
    int first = 0;
    while (first < packed.size()) {
      int last = first + 1;
      while (last < packed.size()
          && last - first < most
          && packed.get(last).cluster == packed.get(last - 1).cluster + 1) {
        last++;
      }
      List<Item> together = packed.subList(first, last);
      tasks.add(
          io.submit(() -> {
            pack(together);
            return 0;
          }));
      first = last;
    }
    return tasks;
  }

  private void pack(List<Item> together) throws IOException, InterruptedException {
    int size = spec.clusterSize();
    ByteBuffer clusters = ByteBuffer.allocateDirect(together.size() * size);
    long at = together.getFirst().cluster << geometry.clusterBits();
    int present = (int) Math.min(clusters.capacity(), content.size() - at);
    content.read(at, clusters.slice(0, present));
    var done = new java.util.concurrent.CompletableFuture<Integer>();
    pool.submit(codec -> {
      try {
        pack(together, clusters, codec);
        done.complete(0);
      } catch (RuntimeException | Error e) {
        done.completeExceptionally(e);
      }
    });
    done.join();
  }

  private void pack(List<Item> together, ByteBuffer clusters, FrameCodec codec) {
    int size = spec.clusterSize();
    codec.level(spec.level());
    ByteBuffer packed = ByteBuffer.allocateDirect(FrameCodec.maxFrameLength(size));
    ByteBuffer zeroes = ByteBuffer.allocate(size);
    for (int i = 0; i < together.size(); i++) {
      if (clusters.slice(i * size, size).mismatch(zeroes) < 0) {
        continue;
      }
      int length = codec.compress(clusters, i * size, size, packed, 0);
      together.get(i).frame = ByteBuffer.allocate(length).put(packed.slice(0, length)).flip();
    }
  }

  @Override
  public void close() {
    io.close();
    content.close();
  }
}
