package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.FreeRanges.Range;
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
 *
 * <p>A free cluster is found in constant time: freed ones are remembered, and behind them the
 * search only goes forward. {@link #searchWholeFile} lets it look, a refcount block at a time, for
 * those that were free before.
 */
public final class ClusterAllocator {

  /** How many bytes of refcount blocks a first search goes back from the last one. */
  private static final int LOOK_BACK = 1 << 20;

  private final Geometry geometry;
  private final MetadataGuard guard;
  private final Refcounts refcounts;
  private final FreeRanges known = new FreeRanges();
  private final List<Range> taken = new ArrayList<>();
  private List<Range> unwanted = new ArrayList<>();

  /** Where the search goes on behind {@link #known}; it only moves forward. */
  private long searchFrom;

  /** Clusters from here to {@link #sweepEnd} have not been looked at. */
  private long sweepFrom;

  private long sweepEnd;

  private long releases;

  /** Behind the last cluster that was allocated. */
  private long allocatedEnd;

  /** A run of host clusters. */
  public record Allocation(long offset, long clusters) {}

  /** References that a commit gives up once it is durable. */
  public static final class Released {
    private final List<Range> ranges;

    private Released(List<Range> ranges) {
      this.ranges = ranges;
    }

    public boolean isEmpty() {
      return ranges.isEmpty();
    }
  }

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
    MetadataGuard guard = MetadataGuard.read(file, head.head());
    return new ClusterAllocator(header.geometry(), guard, new Refcounts(file, head, guard));
  }

  /** What is to be asked before anything is written to a place. */
  public MetadataGuard guard() {
    return guard;
  }

  /**
   * Lets the search find what was free in the whole file when it was opened. Each allocation that
   * would else take a new place looks at one more refcount block.
   */
  public void searchWholeFile() {
    sweepEnd = searchFrom;
  }

  /** Allocates clusters in one piece and returns their host offset. Their content is undefined. */
  public long allocate(long clusters) throws IOException {
    while (true) {
      long start = findRun(clusters);
      if (!refcounts.describe(start, clusters)) {
        return take(start, clusters);
      }
      known.remove(start, start + clusters);
    }
  }

  /**
   * Allocates as many clusters in one piece as are free at the first free place, up to a bound.
   *
   * @param atMost 1 or more
   */
  public Allocation allocateUpTo(long atMost) throws IOException {
    while (true) {
      Range free = firstFree(atMost);
      long count = Math.min(atMost, free.end() - free.start());
      if (!refcounts.describe(free.start(), count)) {
        return new Allocation(take(free.start(), count), count);
      }
      known.remove(free.start(), free.start() + count);
    }
  }

  private Range firstFree(long atMost) throws IOException {
    sweep();
    Range first = known.first();
    if (first != null) {
      return first;
    }
    searchFrom = refcounts.nextFree(searchFrom);
    return new Range(searchFrom, refcounts.nextUsed(searchFrom, searchFrom + atMost));
  }

  /** Looks at one more refcount block where nothing better is known. */
  private void sweep() throws IOException {
    if (!known.isEmpty() || sweepFrom >= sweepEnd) {
      return;
    }
    long end = Math.min(sweepEnd, sweepFrom + geometry.refcountBlockEntries());
    long at = refcounts.nextFreeBefore(sweepFrom, end);
    while (at < end) {
      long used = refcounts.nextUsed(at, end);
      known.add(at, used);
      at = refcounts.nextFreeBefore(used, end);
    }
    sweepFrom = end;
  }

  private long findRun(long clusters) throws IOException {
    if (clusters == 1) {
      return firstFree(1).start();
    }
    long start = refcounts.nextFree(searchFrom);
    while (true) {
      long used = refcounts.nextUsed(start, start + clusters);
      if (used == start + clusters) {
        return start;
      }
      known.add(start, used);
      start = refcounts.nextFree(used);
      searchFrom = start;
    }
  }

  private long take(long start, long count) throws IOException {
    long offset = start << geometry.clusterBits();
    guard.checkFree(offset, count << geometry.clusterBits());
    for (long i = 0; i < count; i++) {
      refcounts.set(start + i, 1);
    }
    known.remove(start, start + count);
    if (searchFrom == start) {
      searchFrom = start + count;
    }
    taken.add(new Range(start, start + count));
    allocatedEnd = Math.max(allocatedEnd, start + count);
    return offset;
  }

  /**
   * The file's least length that holds every cluster allocated so far. A check takes references to
   * what lies behind the file's end for damage, though it reads as zeroes.
   */
  public long allocatedEnd() {
    return allocatedEnd << geometry.clusterBits();
  }

  /** How many references a cluster has; beyond 2^63 - 1 it comes out negative. */
  public long refcount(long offset) throws IOException {
    return refcounts.get(offset >>> geometry.clusterBits());
  }

  /**
   * Adds one reference to each cluster of a range that is in use.
   *
   * @throws UnsupportedFeatureException if a refcount would not fit its width; nothing was changed
   */
  public void addReferences(long offset, long bytes) throws IOException {
    Range range = clusters(offset, bytes);
    for (long i = range.start(); i < range.end(); i++) {
      long refcount = refcounts.get(i);
      if (refcount < 0 || refcount >= geometry.refcountWidth().max()) {
        throw new UnsupportedFeatureException(
            "the cluster at %d has %s references, which is the most that %d bits can count"
                .formatted(
                    i << geometry.clusterBits(),
                    Long.toUnsignedString(refcount),
                    geometry.refcountWidth().bits()));
      }
    }
    for (long i = range.start(); i < range.end(); i++) {
      refcounts.set(i, refcounts.get(i) + 1);
    }
  }

  /**
   * Gives clusters back, once the image no longer refers to them: see {@link #freeNow}. Where a
   * damaged image claims that clusters with other metadata belonged to the caller, they are left
   * alone.
   *
   * @param offset of the first byte
   * @param bytes how much is no longer needed; every cluster they touch loses one reference
   */
  public void freeLater(long offset, long bytes) {
    freeLater(MetadataGuard.Kind.BITMAP_DIRECTORY, offset, bytes);
  }

  /** {@link #freeLater(long, long)} for clusters that hold metadata of a kind. */
  public void freeLater(MetadataGuard.Kind kind, long offset, long bytes) {
    if (bytes <= 0) {
      return;
    }
    guard.remove(kind, offset, bytes);
    if (guard.holdsMetadata(offset, bytes)) {
      return;
    }
    Range range = clusters(offset, bytes);
    Range last = unwanted.isEmpty() ? null : unwanted.getLast();
    if (last != null && last.end() == range.start()) {
      unwanted.set(unwanted.size() - 1, new Range(last.start(), range.end()));
    } else {
      unwanted.add(range);
    }
  }

  private Range clusters(long offset, long bytes) {
    int bits = geometry.clusterBits();
    return new Range(offset >>> bits, ((offset + bytes - 1) >>> bits) + 1);
  }

  /** How many runs wait for {@link #freeNow}. */
  public int waiting() {
    return unwanted.size();
  }

  /** Whether there are refcounts that {@link #writeBack} would write. */
  public boolean isChanged() {
    return refcounts.isChanged();
  }

  /** Whether some of them are in blocks that the file knows nothing of. */
  public boolean hasNewBlocks() {
    return refcounts.hasNewBlocks();
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
    release(takeUnwanted());
    refcounts.writeBack();
  }

  /** Begins a commit: hands over what {@link #freeLater} was told so far. */
  public Released takeUnwanted() {
    Released released = new Released(unwanted);
    unwanted = new ArrayList<>();
    taken.clear();
    return released;
  }

  /** Takes back what a commit that failed was to free. */
  public void restore(Released released) {
    unwanted.addAll(0, released.ranges);
  }

  /** Ends a commit that is on stable storage: its clusters may be given out again. */
  public void release(Released released) throws IOException {
    for (Range range : released.ranges) {
      release(range);
    }
    released.ranges.clear();
  }

  /** Gives back references that were taken and never used. */
  public void undo(long offset, long bytes) throws IOException {
    release(clusters(offset, bytes));
  }

  /** Grows whenever references are given up: clusters known to be in use may then be free. */
  public long releases() {
    return releases;
  }

  /** Gives back what was allocated since the last commit; nothing may refer to it. */
  public void rollBack() throws IOException {
    unwanted.clear();
    release(new Released(taken));
    refcounts.writeBack();
  }

  /**
   * Starts to add references to many clusters that are in use. Each time collected ones are
   * applied, all of them are, or {@link ReferenceBatch#add} or {@link ReferenceBatch#finish} fails:
   * with {@link UnsupportedFeatureException} where a refcount would not fit, with {@link
   * CorruptImageException} where a cluster counts as free.
   */
  public ReferenceBatch startAdding() {
    return new ReferenceBatch(refcounts::addAll, Long.MAX_VALUE);
  }

  /**
   * Starts to take references away. Nothing on stable storage may need them any more.
   *
   * @param limit how many are taken away at most; what comes behind is ignored
   */
  public ReferenceBatch startReleasing(long limit) {
    return new ReferenceBatch(
        (clusters, count) -> refcounts.releaseAll(clusters, count, this::remember), limit);
  }

  /** A look at the refcounts, valid until the next change of any. */
  public RefcountView refcounts() {
    return refcounts.cursor()::get;
  }

  /** The refcount of each cluster. */
  @FunctionalInterface
  public interface RefcountView {

    /** The refcount of a cluster, named by its index; beyond 2^63 − 1 it comes out negative. */
    long get(long cluster) throws IOException;
  }

  /** The refcounts themselves. */
  Refcounts structure() {
    return refcounts;
  }

  private void remember(long free) {
    if (free < searchFrom) {
      known.add(free, free + 1);
    }
  }

  private void release(Range range) throws IOException {
    releases++;
    for (long i = range.start(); i < range.end(); i++) {
      if (refcounts.release(i)) {
        remember(i);
      }
    }
  }
}
