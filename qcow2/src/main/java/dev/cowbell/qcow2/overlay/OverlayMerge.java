package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.overlay.MergePlan.Copy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Makes one overlay of a chain's newest ones: it reads the same upon what lies below them, and upon
 * any of them. Frames are used as they are, in long ranges that the store copies itself where it
 * can; docs/overlay-format.md describes the result.
 */
public final class OverlayMerge {
  private final OverlayChain merged;
  private final OverlayChain whole;
  private final OverlaySpec spec;

  /**
   * @param whole the chain down to its full overlay
   * @param count how many of its newest overlays become one, 1 or more; all of them for a full
   * @param backingFile the bare name of the overlay below these; empty for a full
   * @param identity of the newest one
   * @throws IllegalArgumentException if {@link #obstacle} has something to say
   */
  public OverlayMerge(
      OverlayChain whole, int count, Optional<String> backingFile, OverlayIdentity identity) {
    if (backingFile.isEmpty() != (count == whole.overlays().size())) {
      throw new IllegalArgumentException("a full is merged from all of a chain, and only a full");
    }
    obstacle(whole.overlays().stream().map(OverlayTables::size).toList(), count)
        .ifPresent(obstacle -> {
          throw new IllegalArgumentException(obstacle);
        });
    this.whole = whole;
    this.merged = new OverlayChain(whole.overlays().subList(0, count));
    this.spec = new OverlaySpec(whole.size(), clusterSize(), backingFile, identity);
  }

  /**
   * Why the newest overlays of a chain can't be merged: a disk that shrank on the way hides content
   * below by its size alone, which one overlay can't say.
   *
   * @param sizes of the disks, from the newest overlay to the full one
   */
  public static Optional<String> obstacle(List<Long> sizes, int count) {
    for (int i = 0; i < count && i + 1 < sizes.size(); i++) {
      if (sizes.get(i) < sizes.get(i + 1)) {
        return Optional.of(
            "the disk shrank from %d to %d bytes".formatted(sizes.get(i + 1), sizes.get(i)));
      }
    }
    return Optional.empty();
  }

  /** That of the largest object, if clusters of its size can describe the disk. */
  private int clusterSize() {
    OverlayTables newest = merged.overlays().getFirst();
    OverlayTables largest = newest;
    for (OverlayTables overlay : merged.overlays()) {
      largest = overlay.source().size() > largest.source().size() ? overlay : largest;
    }
    Geometry wanted = largest.geometry();
    boolean fits =
        wanted.l1EntriesFor(whole.size()) * Geometry.L1_ENTRY_SIZE <= Geometry.MAX_L1_BYTES;
    return (fits ? wanted : newest.geometry()).clusterSize();
  }

  /** Finds out what goes where. Reads tables only. */
  public MergePlan plan(MergeLimits limits) throws IOException {
    Planning planning = new Planning();
    walk().run(planning);
    List<Copy> copies = new ArrayList<>();
    for (int i = 0; i < planning.live.length; i++) {
      copies.addAll(planning.live[i].copies(i, limits));
    }
    Counting counting = new Counting(new CopiedRanges(copies, 0));
    walk().run(counting);
    Geometry geometry = spec.geometry();
    long l1 = geometry.l1EntriesFor(spec.diskSize()) * Geometry.L1_ENTRY_SIZE;
    return new MergePlan(
        spec,
        copies,
        counting.frames,
        counting.bytes,
        counting.packed,
        (counting.tables + 4) * geometry.clusterSize()
            + geometry.clustersFor(l1) * geometry.clusterSize());
  }

  private MergeWalk walk() {
    return new MergeWalk(merged, spec.geometry());
  }

  /**
   * Writes the body of the merged overlay. It is there when the head that is returned stands before
   * it.
   *
   * @param plan of the same merge
   * @throws OverlayCancelledException if the monitor asked for it
   */
  public WrittenOverlay write(
      MergePlan plan, MergeSink sink, CodecPool pool, OverlayMonitor monitor) throws IOException {
    BodyWriter body = new BodyWriter(sink, spec.geometry());
    FrameLengths moved = new FrameLengths();
    CopiedRanges none = new CopiedRanges(plan.copies(), 0);
    try (MovedFrames frames =
        new MovedFrames(merged, whole, spec, none, body, moved, pool, monitor)) {
      walk().run(frames);
      frames.flush();
    }
    CopiedRanges copies = new CopiedRanges(plan.copies(), body.position());
    for (Copy copy : plan.copies()) {
      monitor.check();
      sink.appendCopy(copy.overlay(), copy.at(), copy.length());
      body.appendedUnseen(copy.length());
      monitor.advance(copy.length());
    }
    MergedTables tables = new MergedTables(spec, body, copies, moved);
    walk().run(tables);
    return tables.finish();
  }

  /** Marks what is needed of each overlay. */
  private final class Planning implements MergeWalk.Visitor {
    final LiveBlocks[] live = new LiveBlocks[merged.overlays().size()];

    Planning() {
      Arrays.setAll(
          live,
          i -> {
            OverlayTables overlay = merged.overlays().get(i);
            return new LiveBlocks(overlay.source().size(), overlay.geometry().clusterSize());
          });
    }

    @Override
    public void frame(long cluster, int overlay, long host, long end) {
      live[overlay].add(host, end);
    }

    @Override
    public void zero(long cluster, long count) {}

    @Override
    public void pack(long cluster) {}
  }

  /** Counts what is not copied inside the store. */
  private final class Counting implements MergeWalk.Visitor {
    private final CopiedRanges copies;
    private long lastTable = -1;
    long frames;
    long bytes;
    long packed;
    long tables;

    Counting(CopiedRanges copies) {
      this.copies = copies;
    }

    @Override
    public void frame(long cluster, int overlay, long host, long end) {
      mention(cluster);
      if (copies.placeOf(overlay, host, end) < 0) {
        frames++;
        bytes += end - host;
      }
    }

    @Override
    public void zero(long cluster, long count) {
      for (long c = cluster; c < cluster + count; c += spec.geometry().l2Entries()) {
        mention(c);
      }
      mention(cluster + count - 1);
    }

    @Override
    public void pack(long cluster) {
      mention(cluster);
      packed++;
    }

    private void mention(long cluster) {
      long table = cluster >>> spec.geometry().l2Bits();
      tables += table - Math.max(lastTable, table - 1);
      lastTable = table;
    }
  }
}
