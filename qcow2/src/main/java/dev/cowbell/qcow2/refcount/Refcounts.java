package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.MetadataGuard.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * How often each host cluster is referred to (specification: "Host cluster management"). Changes
 * stay in memory until {@link #writeBack}; blocks and a larger table are made when a cluster needs
 * them. Clusters are named by their index, host offset divided by cluster size.
 */
final class Refcounts {

  /** Host offsets have 56 bits in every table of an image. */
  private static final long MAX_OFFSET = 1L << 56;

  private final HostFile file;
  private final HeadWriter head;
  private final MetadataGuard guard;
  private final Geometry geometry;
  private final RefcountWidth width;
  private final RefcountTable table;
  private final MetadataCache blocks;
  private final Cursor shared = new Cursor();

  /** Why the refcounts in memory can't be trusted any more. */
  private @Nullable IOException failure;

  Refcounts(HostFile file, HeadWriter head, MetadataGuard guard) throws IOException {
    this.file = file;
    this.head = head;
    this.guard = guard;
    this.geometry = head.head().header().geometry();
    this.width = geometry.refcountWidth();
    this.table = RefcountTable.read(file, head.head().header());
    this.blocks = new MetadataCache(file, geometry.clusterSize(), MetadataCache.DEFAULT_BYTES);
    guardOwnPlaces();
  }

  /** The refcount of a cluster; an unsigned 64-bit number beyond 2^63 − 1 comes out negative. */
  long get(long cluster) throws IOException {
    long block = block(blockOf(cluster));
    return block == 0 ? 0 : width.get(load(block), indexInBlock(cluster));
  }

  /** The first cluster behind {@code from} whose refcount is not 0, or {@code limit}. */
  long nextUsed(long from, long limit) throws IOException {
    return scan(from, limit, false);
  }

  /** The first cluster at or behind {@code from} whose refcount is 0. */
  long nextFree(long from) throws IOException {
    return scan(from, Long.MAX_VALUE, true);
  }

  /** The first cluster at or behind {@code from} whose refcount is 0, or {@code limit}. */
  long nextFreeBefore(long from, long limit) throws IOException {
    return scan(from, limit, true);
  }

  private long scan(long from, long limit, boolean free) throws IOException {
    long at = from;
    while (at < limit) {
      long end = Math.min(limit, (blockOf(at) + 1) << geometry.refcountBlockBits());
      long block = block(blockOf(at));
      if (block == 0) {
        if (free) {
          return at;
        }
        // Behind the last block there is nothing in use.
        if (blockOf(at) >= table.length()) {
          return limit;
        }
        at = end;
        continue;
      }
      ByteBuffer bytes = load(block);
      for (; at < end; at++) {
        if ((width.get(bytes, indexInBlock(at)) == 0) == free) {
          return at;
        }
      }
    }
    return limit;
  }

  /**
   * The first cluster that the last refcount blocks describe, some {@code bytes} of blocks back.
   */
  long startOfLastBlocks(int bytes) {
    long back = Math.max(1, bytes >>> geometry.clusterBits());
    return Math.max(0, table.lastBlock() + 1 - back) << geometry.refcountBlockBits();
  }

  /**
   * Makes sure that refcount blocks describe a range of free clusters. New blocks take its first
   * clusters: so each is described by itself or by a block before it in the table.
   *
   * @return whether clusters were taken: the search for free ones starts over
   */
  boolean describe(long cluster, long count) throws IOException {
    if (cluster + count > MAX_OFFSET >>> geometry.clusterBits()) {
      throw new UnsupportedFeatureException(
          "the image would grow behind 2^56 bytes: " + cluster + " clusters are in use");
    }
    long last = blockOf(cluster + count - 1);
    if (last >= table.length()) {
      growTable(last + 1);
      return true;
    }
    long next = cluster;
    for (long index = blockOf(cluster); index <= last; index++) {
      if (block(index) == 0) {
        long offset = next << geometry.clusterBits();
        guard.checkFree(offset, geometry.clusterSize());
        blocks.create(offset);
        table.set((int) index, offset);
        guard.add(Kind.REFCOUNT_BLOCK, offset, geometry.clusterSize());
        next++;
      }
    }
    for (long taken = cluster; taken < next; taken++) {
      set(taken, 1);
    }
    return next > cluster;
  }

  /** Sets the refcount of a cluster that a block describes. */
  void set(long cluster, long refcount) throws IOException {
    long block = block(blockOf(cluster));
    ByteBuffer bytes = load(block);
    blocks.markDirty(block);
    width.set(bytes, indexInBlock(cluster), refcount);
  }

  /** Whether anything was changed and not written yet. */
  boolean isChanged() {
    return table.isChanged() || blocks.isChanged();
  }

  /** Whether there are blocks that the table in the file does not refer to yet. */
  boolean hasNewBlocks() {
    return table.isChanged();
  }

  /**
   * Writes all changes to the file. New blocks are flushed before the table refers to them; changed
   * refcounts are not flushed.
   */
  void writeBack() throws IOException {
    requireUsable();
    blocks.writeBack();
    if (table.isChanged()) {
      file.flush();
      table.writeBack();
    }
  }

  /**
   * Moves the table behind everything it could describe so far, together with the blocks that
   * describe it there. Durable when this returns; the old table's clusters are free then.
   */
  private void growTable(long minLength) throws IOException {
    requireUsable();
    long clusters = tableClustersFor(minLength);
    long start = (long) table.length() << geometry.refcountBlockBits();
    long newBlocks = 1;
    while (newBlocks << geometry.refcountBlockBits() < newBlocks + clusters) {
      newBlocks++;
      clusters = Math.max(clusters, tableClustersFor(table.length() + newBlocks));
    }
    long bytes = clusters << geometry.clusterBits();
    if (bytes > Geometry.MAX_REFCOUNT_TABLE_BYTES) {
      throw new UnsupportedFeatureException(
          "the refcount table would need %d bytes, allowed are %d; use larger clusters or narrower refcounts"
              .formatted(bytes, Geometry.MAX_REFCOUNT_TABLE_BYTES));
    }
    guard.checkFree(
        start << geometry.clusterBits(), (newBlocks + clusters) << geometry.clusterBits());
    writeBack();

    long oldOffset = table.offset();
    long oldClusters = table.size() >>> geometry.clusterBits();
    long newOffset = (start + newBlocks) << geometry.clusterBits();
    try {
      moveTable(start, newBlocks, clusters);
    } catch (IOException e) {
      // Which of the two tables is in force is not known, but either is right by itself.
      failure = e;
      throw e;
    }
    int bits = geometry.clusterBits();
    guard.remove(Kind.REFCOUNT_TABLE, oldOffset, oldClusters << bits);
    guard.add(Kind.REFCOUNT_BLOCK, start << bits, newBlocks << bits);
    guard.add(Kind.REFCOUNT_TABLE, newOffset, clusters << bits);
    for (long i = 0; i < oldClusters; i++) {
      release((oldOffset >>> geometry.clusterBits()) + i);
    }
  }

  private void moveTable(long start, long newBlocks, long clusters) throws IOException {
    int oldLength = table.length();
    long newOffset = (start + newBlocks) << geometry.clusterBits();
    long bytes = clusters << geometry.clusterBits();
    for (int i = 0; i < newBlocks; i++) {
      ByteBuffer block = blocks.create((start + i) << geometry.clusterBits());
      long first = (long) i << geometry.refcountBlockBits();
      long used = Math.min(newBlocks + clusters - first, geometry.refcountBlockEntries());
      for (int j = 0; j < used; j++) {
        width.set(block, j, 1);
      }
    }
    blocks.writeBack();
    table.move(newOffset, Math.toIntExact(bytes / RefcountTable.ENTRY_SIZE));
    for (int i = 0; i < newBlocks; i++) {
      table.set(oldLength + i, (start + i) << geometry.clusterBits());
    }
    table.writeBack();
    file.flush();
    head.setRefcountTable(newOffset, clusters);
    file.flush();
  }

  private void requireUsable() throws IOException {
    if (failure != null) {
      throw new IOException(
          "clusters can't be allocated since the refcount table could not be moved: "
              + failure.getMessage(),
          failure);
    }
  }

  private long tableClustersFor(long entries) {
    long needed = geometry.clustersFor(entries * RefcountTable.ENTRY_SIZE);
    long present = table.size() >>> geometry.clusterBits();
    long comfortable = Math.max(needed, (present * 3 + 1) / 2);
    return Math.min(
        comfortable,
        Math.max(needed, Geometry.MAX_REFCOUNT_TABLE_BYTES >>> geometry.clusterBits()));
  }

  /**
   * Takes one reference away.
   *
   * @return whether the cluster is free now; a cluster that was free already is left alone
   */
  boolean release(long cluster) throws IOException {
    long refcount = get(cluster);
    if (refcount <= 0) {
      return false;
    }
    set(cluster, refcount - 1);
    return refcount == 1;
  }

  /**
   * Adds one reference for each time a cluster is named, to all of them or to none.
   *
   * @param clusters ascending
   * @throws UnsupportedFeatureException if a refcount would not fit its width
   * @throws CorruptImageException if one of them counts as free
   */
  void addAll(long[] clusters, int count) throws IOException {
    Cursor cursor = cursor();
    for (int i = 0; i < count; ) {
      long cluster = clusters[i];
      int next = endOfRun(clusters, i, count);
      long refcount = cursor.get(cluster);
      if (refcount == 0) {
        throw new CorruptImageException(
            "the cluster at %d is in use but counts as free; repair the image first"
                .formatted(cluster << geometry.clusterBits()));
      }
      if (refcount < 0 || refcount > width.max() - (next - i)) {
        throw new UnsupportedFeatureException(
            "the cluster at %d would be referred to %s times, refcounts of %d bits allow %d"
                .formatted(
                    cluster << geometry.clusterBits(),
                    Long.toUnsignedString(refcount + (next - i)),
                    width.bits(),
                    width.max()));
      }
      i = next;
    }
    for (int i = 0; i < count; ) {
      int next = endOfRun(clusters, i, count);
      cursor.set(clusters[i], cursor.get(clusters[i]) + (next - i));
      i = next;
    }
  }

  /**
   * Takes one reference away for each time a cluster is named. Free clusters are left alone, and of
   * a damaged image those that would become free although metadata is there.
   *
   * @param clusters ascending
   * @param freed hears of clusters that became free
   */
  void releaseAll(long[] clusters, int count, LongConsumer freed) throws IOException {
    Cursor cursor = cursor();
    for (int i = 0; i < count; ) {
      long cluster = clusters[i];
      int next = endOfRun(clusters, i, count);
      long refcount = cursor.get(cluster);
      long left = Math.max(0, refcount - (next - i));
      boolean isLast = refcount > 0 && left == 0;
      if (refcount > 0
          && !(isLast
              && guard.holdsMetadata(cluster << geometry.clusterBits(), geometry.clusterSize()))) {
        cursor.set(cluster, left);
        if (isLast) {
          freed.accept(cluster);
        }
      }
      i = next;
    }
  }

  private static int endOfRun(long[] clusters, int start, int count) {
    int end = start + 1;
    while (end < count && clusters[end] == clusters[start]) {
      end++;
    }
    return end;
  }

  /** The one cursor, for walks through many clusters; to be used before any other method runs. */
  Cursor cursor() {
    shared.forget();
    return shared;
  }

  /**
   * Looks up and changes refcounts of clusters near each other without going through the cache for
   * each. Valid until another method of the enclosing object is called.
   */
  final class Cursor {
    private long index = -1;
    private long block;
    private ByteBuffer bytes = ByteBuffer.allocate(0);
    private boolean dirty;

    private void forget() {
      index = -1;
    }

    /** {@link Refcounts#get}. */
    long get(long cluster) throws IOException {
      seek(cluster);
      return block == 0 ? 0 : width.get(bytes, indexInBlock(cluster));
    }

    private void seek(long cluster) throws IOException {
      if (blockOf(cluster) != index) {
        index = -1;
        dirty = false;
        block = block(blockOf(cluster));
        if (block != 0) {
          bytes = load(block);
        }
        index = blockOf(cluster);
      }
    }

    private void set(long cluster, long refcount) throws IOException {
      seek(cluster);
      if (!dirty) {
        blocks.markDirty(block);
        dirty = true;
      }
      width.set(bytes, indexInBlock(cluster), refcount);
    }
  }

  /** The number of clusters that blocks describe, free ones among them. */
  long described() {
    return (long) (table.lastBlock() + 1) << geometry.refcountBlockBits();
  }

  long tableOffset() {
    return table.offset();
  }

  long tableSize() {
    return table.size();
  }

  /** Names the host offset of every refcount block. */
  void eachBlock(LongConsumer consumer) throws IOException {
    for (int i = 0; i <= table.lastBlock(); i++) {
      long block = block(i);
      if (block != 0) {
        consumer.accept(block);
      }
    }
  }

  private ByteBuffer load(long block) throws IOException {
    if (guard.holdsOther(Kind.REFCOUNT_BLOCK, block, geometry.clusterSize())) {
      throw new CorruptImageException(
          "the refcount block at %d lies where other metadata is; repair the image first"
              .formatted(block));
    }
    return blocks.get(block);
  }

  private long blockOf(long cluster) {
    return cluster >>> geometry.refcountBlockBits();
  }

  private int indexInBlock(long cluster) {
    return (int) (cluster & (geometry.refcountBlockEntries() - 1));
  }

  /**
   * Where the block of an index is, 0 if there is none. An entry that can't be an offset is found
   * only by who needs it; as with QEMU the image is marked corrupt then.
   */
  private long block(long index) throws IOException {
    try {
      return table.block(index);
    } catch (CorruptImageException e) {
      try {
        head.markCorrupt();
      } catch (IOException failedMark) {
        e.addSuppressed(failedMark);
      }
      throw e;
    }
  }

  /** Tells the guard where the table and all blocks are that can be somewhere. */
  private void guardOwnPlaces() throws IOException {
    guard.add(Kind.REFCOUNT_TABLE, table.offset(), table.size());
    for (int i = 0; i <= table.lastBlock(); i++) {
      long block = table.isPossible(i) ? table.block(i) : 0;
      if (block != 0) {
        guard.add(Kind.REFCOUNT_BLOCK, block, geometry.clusterSize());
      }
    }
  }
}
