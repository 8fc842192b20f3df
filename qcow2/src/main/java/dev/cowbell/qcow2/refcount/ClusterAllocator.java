package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Gives out free host clusters and takes used ones back. Everything stays in memory until it is
 * written by one of two calls that frame a commit:
 *
 * <pre>
 * long at = allocator.allocate(n);     // … write the clusters
 * allocator.freeLater(old, bytes);
 * allocator.writeBack();               // refcounts of what was allocated
 * file.flush();
 * // … make the image refer to the new clusters instead of the old, flush
 * allocator.freeNow();                 // refcounts of what is no longer referred to
 * </pre>
 *
 * <p>A crash before the middle leaves leaks, a crash behind it too, and none leaves a cluster in
 * use that counts as free. Not safe for several threads.
 */
public final class ClusterAllocator {

  /** How many bytes of refcount blocks a first search goes back from the last one. */
  private static final int LOOK_BACK = 1 << 20;

  private final Geometry geometry;
  private final MetadataGuard guard;
  private final Refcounts refcounts;
  private final List<Range> taken = new ArrayList<>();
  private final List<Range> unwanted = new ArrayList<>();

  /** No cluster before this one is known to be free. */
  private long searchFrom;

  private record Range(long cluster, long count) {}

  /** A run of host clusters. */
  public record Allocation(long offset, long clusters) {}

  private ClusterAllocator(Geometry geometry, MetadataGuard guard, Refcounts refcounts)
      throws IOException {
    this.geometry = geometry;
    this.guard = guard;
    this.refcounts = refcounts;
    this.searchFrom = refcounts.startOfLastBlocks(LOOK_BACK);
  }

  /**
   * Reads what is needed of an image: the refcount table and the active L1 table, but no block.
   *
   * @throws ImageException if the image is marked dirty or corrupt, or its tables are out of bounds
   */
  public static ClusterAllocator open(HostFile file, HeadWriter head) throws IOException {
    Header header = head.head().header();
    if (header.features().has(Feature.CORRUPT)) {
      throw new CorruptImageException(
          "the image is marked corrupt; nothing is written to it before a repair");
    }
    if (header.features().has(Feature.DIRTY)) {
      throw new CorruptImageException(
          "the image was not closed and its refcounts may be wrong (dirty bit); repair it first");
    }
    header.checkTables();
    MetadataGuard guard = MetadataGuard.read(file, header);
    return new ClusterAllocator(header.geometry(), guard, new Refcounts(file, head, guard));
  }

  /** Allocates clusters in one piece and returns their host offset. Their content is undefined. */
  public long allocate(long clusters) throws IOException {
    while (true) {
      long start = findRun(clusters);
      if (!refcounts.describe(start, clusters)) {
        return take(start, clusters);
      }
    }
  }

  /**
   * Allocates as many clusters in one piece as are free at the first free place, up to a bound.
   *
   * @param atMost 1 or more
   */
  public Allocation allocateUpTo(long atMost) throws IOException {
    while (true) {
      long start = refcounts.nextFree(searchFrom);
      long count = refcounts.nextUsed(start, start + atMost) - start;
      if (!refcounts.describe(start, count)) {
        return new Allocation(take(start, count), count);
      }
    }
  }

  private long findRun(long clusters) throws IOException {
    long start = refcounts.nextFree(searchFrom);
    while (true) {
      long used = refcounts.nextUsed(start, start + clusters);
      if (used == start + clusters) {
        return start;
      }
      start = refcounts.nextFree(used);
    }
  }

  private long take(long start, long count) throws IOException {
    long offset = start << geometry.clusterBits();
    guard.checkFree(offset, count << geometry.clusterBits());
    if (refcounts.nextFree(searchFrom) == start) {
      searchFrom = start + count;
    }
    for (long i = 0; i < count; i++) {
      refcounts.set(start + i, 1);
    }
    taken.add(new Range(start, count));
    return offset;
  }

  /**
   * Gives clusters back, once the image no longer refers to them: see {@link #freeNow}. Where a
   * damaged image claims that clusters with other metadata belonged to the caller, they are left
   * alone.
   *
   * @param offset of the first one
   * @param bytes how much is no longer needed; rounded up to whole clusters
   */
  public void freeLater(long offset, long bytes) {
    if (bytes > 0 && !guard.holdsMetadata(offset, bytes)) {
      unwanted.add(new Range(offset >>> geometry.clusterBits(), geometry.clustersFor(bytes)));
    }
  }

  /**
   * Writes refcounts to the file. Flushed are only new refcount blocks, before their table entry.
   */
  public void writeBack() throws IOException {
    refcounts.writeBack();
  }

  /**
   * Frees what {@link #freeLater} was told, and writes that back. What replaced it must be on
   * stable storage.
   */
  public void freeNow() throws IOException {
    taken.clear();
    release(unwanted);
    refcounts.writeBack();
  }

  /** Gives back what was allocated since the last commit; nothing may refer to it. */
  public void rollBack() throws IOException {
    unwanted.clear();
    release(taken);
    refcounts.writeBack();
  }

  private void release(List<Range> ranges) throws IOException {
    for (Range range : ranges) {
      for (long i = range.cluster(); i < range.cluster() + range.count(); i++) {
        if (refcounts.release(i)) {
          searchFrom = Math.min(searchFrom, i);
        }
      }
    }
    ranges.clear();
  }
}
